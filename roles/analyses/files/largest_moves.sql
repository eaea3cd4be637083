-- Largest moves: the biggest steps from one close to the next of the same symbol
WITH steps AS (
    SELECT
        symbol,
        event_time,
        lag(close) OVER (PARTITION BY symbol ORDER BY event_time, producer_id, sequence) AS close_before,
        close
    FROM quotes_all
    WHERE dt >= ? AND concat(dt, ' ', hour) >= ?
)

SELECT
    symbol,
    event_time,
    close_before,
    close,
    round(1e2 * (close - close_before) / close_before, 3) AS move_percent
FROM steps
WHERE close_before > 0
ORDER BY abs((close - close_before) / close_before) DESC, event_time, symbol
LIMIT 10
