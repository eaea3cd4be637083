-- Quality: per producer run, is every sequence number there once?
-- A symbol's quotes arrive in order, so up to the least of the symbols' newest sequence numbers (`settled`) everything must be there:
-- what is absent below it is missing. Gaps above it are pending, still on their way; once a producer has stopped and the
-- consumer has caught up, missing and pending are both 0.
WITH per_symbol AS (
    SELECT
        producer_id,
        symbol,
        max(sequence) AS newest
    FROM quotes
    GROUP BY producer_id, symbol
),

per_producer AS (
    SELECT
        producer_id,
        min(newest) AS settled
    FROM per_symbol
    GROUP BY producer_id
)

SELECT
    quotes.producer_id,
    count(*) AS records,
    max(quotes.sequence) + 1 AS expected,
    count(*) - count(DISTINCT quotes.sequence) AS doubles,
    max(per_producer.settled) + 1
    - count(DISTINCT CASE WHEN quotes.sequence <= per_producer.settled THEN quotes.sequence END) AS missing,
    max(quotes.sequence) - max(per_producer.settled)
    - count(DISTINCT CASE WHEN quotes.sequence > per_producer.settled THEN quotes.sequence END) AS pending,
    count_if(quotes.volume = 0) AS zero_volumes,
    max(quotes.event_time) AS newest
FROM quotes
INNER JOIN per_producer ON quotes.producer_id = per_producer.producer_id
GROUP BY quotes.producer_id
ORDER BY newest DESC, quotes.producer_id
LIMIT 10
