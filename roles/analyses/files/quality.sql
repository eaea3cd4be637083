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
),

-- 64 sequence numbers in a row share one number, in which each has its bit: that takes a 64th of the memory of counting them one by one.
blocks AS (
    SELECT
        recent.producer_id,
        recent.sequence <= per_producer.settled AS is_settled,
        max(per_producer.begun) AS begun,
        max(per_producer.settled) AS settled,
        count(*) AS records,
        bit_count(bitwise_or_agg(bitwise_left_shift(CAST(1 AS bigint), CAST(recent.sequence % 64 AS integer))), 64) AS sequences,
        max(recent.sequence) AS last,
        count_if(recent.volume = 0) AS zero_volumes,
        max(recent.event_time) AS newest
    FROM recent
    INNER JOIN per_producer ON recent.producer_id = per_producer.producer_id
    WHERE recent.sequence >= per_producer.begun
    GROUP BY recent.producer_id, recent.sequence <= per_producer.settled, recent.sequence / 64
)

SELECT
    producer_id,
    sum(records) AS records,
    max(last) - max(begun) + 1 AS expected,
    sum(records) - sum(sequences) AS doubles,
    greatest(max(settled) - max(begun) + 1, 0) - sum(CASE WHEN is_settled THEN sequences ELSE 0 END) AS missing,
    max(last) - greatest(max(settled), max(begun) - 1) - sum(CASE WHEN is_settled THEN 0 ELSE sequences END) AS pending,
    sum(zero_volumes) AS zero_volumes,
    max(newest) AS newest
FROM blocks
GROUP BY producer_id
ORDER BY newest DESC, producer_id
LIMIT 10
