-- Record high: each symbol's highest price, and when it was first reached
WITH recent AS (
    SELECT
        symbol,
        high,
        close,
        event_time
    FROM quotes
    WHERE dt >= ? AND concat(dt, ' ', hour) >= ?
),

ranked AS (
    SELECT
        symbol,
        high,
        event_time,
        row_number() OVER (PARTITION BY symbol ORDER BY high DESC, event_time) AS place
    FROM recent
),

latest AS (
    SELECT
        symbol,
        max_by(close, event_time) AS last_close
    FROM recent
    GROUP BY symbol
)

SELECT
    ranked.symbol,
    ranked.high AS record_high,
    ranked.event_time AS reached_at,
    latest.last_close,
    round(1e2 * (latest.last_close - ranked.high) / nullif(ranked.high, 0), 2) AS below_record_percent
FROM ranked
INNER JOIN latest ON ranked.symbol = latest.symbol
WHERE ranked.place = 1
ORDER BY below_record_percent DESC, ranked.symbol
LIMIT 10
