-- Largest moves: the biggest steps from one close to the next of the same symbol
-- An hour's ten largest steps of each symbol are kept; the step from an hour's last quote to the next one's first is added.
WITH hours AS (
    SELECT
        symbol,
        dt,
        hour,
        min(first_time) AS first_time,
        max(last_time) AS last_time,
        min_by(first_close, row(first_time, producer_id)) AS first_close,
        max_by(last_close, row(last_time, producer_id)) AS last_close,
        flatten(array_agg(moves) FILTER (WHERE moves IS NOT NULL)) AS moves
    FROM quotes_hours
    WHERE dt >= ? AND concat(dt, ' ', hour) >= ? AND returns IS NOT NULL
    GROUP BY symbol, dt, hour
),

between_hours AS (
    SELECT
        symbol,
        moves,
        first_time,
        first_close,
        lag(last_close) OVER (PARTITION BY symbol ORDER BY first_time, dt, hour) AS close_before,
        lag(last_time) OVER (PARTITION BY symbol ORDER BY first_time, dt, hour) AS time_before
    FROM hours
),

steps AS (
    SELECT
        between_hours.symbol,
        step.event_time,
        step.close_before,
        step.close
    FROM between_hours
    CROSS JOIN
        unnest(
            concat(
                coalesce(moves, ARRAY[]),
                CASE
                    WHEN time_before <= first_time AND between_hours.close_before > 0
                        THEN
                            ARRAY[
                                CAST(
                                    row(first_time, between_hours.close_before, first_close)
                                    AS row(event_time varchar, close_before double, close double)
                                )
                            ]
                    ELSE ARRAY[]
                END
            )
        ) AS step (event_time, close_before, close)
)

SELECT
    symbol,
    event_time,
    close_before,
    close,
    round(1e2 * (close - close_before) / close_before, 3) AS move_percent
FROM steps
ORDER BY abs((close - close_before) / close_before) DESC, event_time, symbol
LIMIT 10
