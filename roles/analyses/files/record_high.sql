-- Record high: each symbol's highest price, and when it was first reached
SELECT
    symbol,
    max(high) AS record_high,
    min_by(high_at, row(-high, high_at)) AS reached_at,
    max_by(last_close, last_time) AS last_close,
    round(1e2 * (max_by(last_close, last_time) - max(high)) / nullif(max(high), 0), 2) AS below_record_percent
FROM quotes_hours
WHERE dt >= ? AND concat(dt, ' ', hour) >= ? AND day IS NOT NULL
GROUP BY symbol
ORDER BY below_record_percent DESC, symbol
LIMIT 10
