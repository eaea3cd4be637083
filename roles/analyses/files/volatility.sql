-- Volatility: how far the closes of the last 20 quotes swing, now and at their wildest
-- The standard deviation of log returns in percent of the price, over a window that slides along each symbol's quotes.
WITH steps AS (
    SELECT
        symbol,
        event_time,
        producer_id,
        sequence,
        close,
        lag(close) OVER (PARTITION BY symbol ORDER BY event_time, producer_id, sequence) AS close_before
    FROM quotes_all
    WHERE dt >= ? AND concat(dt, ' ', hour) >= ?
),

windows AS (
    SELECT
        symbol,
        row(event_time, producer_id, sequence) AS place,
        1e2 * stddev_samp(ln(close / close_before)) OVER (
            PARTITION BY symbol
            ORDER BY event_time, producer_id, sequence
            ROWS BETWEEN 19 PRECEDING AND CURRENT ROW
        ) AS swing
    FROM steps
    WHERE close > 0 AND close_before > 0
)

SELECT
    symbol,
    count(*) AS returns,
    round(max_by(swing, place), 4) AS now_percent,
    round(avg(swing), 4) AS mean_percent,
    round(max(swing), 4) AS wildest_percent
FROM windows
GROUP BY symbol
ORDER BY now_percent DESC NULLS LAST, symbol
LIMIT 10
