-- Record high: each symbol's highest price, and when it was first reached
WITH highs AS (
    SELECT
        symbol,
        high,
        min(event_time) AS reached_at,
        max(event_time) AS newest,
        max_by(close, event_time) AS last_close
    FROM quotes_all
    WHERE dt >= ? AND concat(dt, ' ', hour) >= ?
    GROUP BY symbol, high
)

SELECT
    symbol,
    max(high) AS record_high,
    max_by(reached_at, high) AS reached_at,
    max_by(last_close, newest) AS last_close,
    round(1e2 * (max_by(last_close, newest) - max(high)) / nullif(max(high), 0), 2) AS below_record_percent
FROM highs
GROUP BY symbol
ORDER BY below_record_percent DESC, symbol
LIMIT 10
