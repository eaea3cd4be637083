-- Quality: per producer run, is every sequence number there once?
-- A symbol's quotes arrive in order, so up to the least of the symbols' newest sequence numbers (`settled`) everything must be there:
-- what is absent below it is missing. Gaps above it are pending, still on their way; once a producer has stopped and the
-- consumer has caught up, missing and pending are both 0. Of a run that began before the hours looked at, the same holds from the
-- greatest of the symbols' oldest numbers on (`begun`).
WITH recent AS (
    SELECT
        producer_id,
        symbol,
        sequence,
        volume,
        event_time
    FROM quotes_all
    WHERE dt >= ? AND concat(dt, ' ', hour) >= ?
),

per_symbol AS (
    SELECT
        producer_id,
        symbol,
        min(sequence) AS oldest,
        max(sequence) AS newest
    FROM recent
    GROUP BY producer_id, symbol
),

per_producer AS (
    SELECT
        producer_id,
        CASE WHEN min(oldest) = 0 THEN 0 ELSE max(oldest) END AS begun,
        min(newest) AS settled
    FROM per_symbol
    GROUP BY producer_id
)

SELECT
    recent.producer_id,
    count(*) AS records,
    max(recent.sequence) - max(per_producer.begun) + 1 AS expected,
    count(*) - count(DISTINCT recent.sequence) AS doubles,
    greatest(max(per_producer.settled) - max(per_producer.begun) + 1, 0)
    - count(DISTINCT CASE WHEN recent.sequence <= per_producer.settled THEN recent.sequence END) AS missing,
    max(recent.sequence) - greatest(max(per_producer.settled), max(per_producer.begun) - 1)
    - count(DISTINCT CASE WHEN recent.sequence > per_producer.settled THEN recent.sequence END) AS pending,
    count_if(recent.volume = 0) AS zero_volumes,
    max(recent.event_time) AS newest
FROM recent
INNER JOIN per_producer ON recent.producer_id = per_producer.producer_id
WHERE recent.sequence >= per_producer.begun
GROUP BY recent.producer_id
ORDER BY newest DESC, recent.producer_id
LIMIT 10
