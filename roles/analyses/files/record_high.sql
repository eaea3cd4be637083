-- Record high: each symbol's highest price, and when it was first reached
SELECT
    symbol,
    max(high) AS record_high,
    min_by(event_time, row(-high, event_time)) AS reached_at,
    max_by(close, event_time) AS last_close,
    round(1e2 * (max_by(close, event_time) - max(high)) / nullif(max(high), 0), 2) AS below_record_percent
FROM quotes_all
WHERE dt >= ? AND concat(dt, ' ', hour) >= ?
GROUP BY symbol
ORDER BY below_record_percent DESC, symbol
LIMIT 10
