-- Quality: per producer run, is every sequence number there once?
-- A symbol's quotes arrive in order, so up to the least of the symbols' newest sequence numbers (`settled`) everything must be there:
-- what is absent below it is missing. Gaps above it are pending, still on their way; once a producer has stopped and the
-- consumer has caught up, missing and pending are both 0. Of a run that began before the hours looked at, the same holds from the
-- greatest of the symbols' oldest numbers on (`begun`).
WITH recent AS (
    SELECT
        producer_id,
        symbol,
        day,
        block,
        bits,
        records,
        first_sequence,
        last_sequence,
        last_time,
        zero_volumes
    FROM quotes_hours
    WHERE dt >= ? AND concat(dt, ' ', hour) >= ?
),

per_symbol AS (
    SELECT
        producer_id,
        symbol,
        min(first_sequence) AS oldest,
        max(last_sequence) AS newest,
        max(last_time) AS newest_time,
        sum(zero_volumes) AS zero_volumes
    FROM recent
    WHERE day IS NOT NULL
    GROUP BY producer_id, symbol
),

per_producer AS (
    SELECT
        producer_id,
        CASE WHEN min(oldest) = 0 THEN 0 ELSE max(oldest) END AS begun,
        min(newest) AS settled,
        max(newest) AS last,
        max(newest_time) AS newest,
        sum(zero_volumes) AS zero_volumes
    FROM per_symbol
    GROUP BY producer_id
),

-- 64 sequence numbers in a row, `block * 64` and those after it, share one number, in which each has its bit.
blocks AS (
    SELECT
        producer_id,
        block,
        sum(records) AS records,
        bitwise_or_agg(bits) AS bits
    FROM recent
    WHERE block IS NOT NULL
    GROUP BY producer_id, block
),

-- The bits of the numbers from `begun` on, and of those up to `settled`.
masked AS (
    SELECT
        per_producer.*,
        blocks.records,
        blocks.bits,
        CASE
            WHEN blocks.block * 64 >= per_producer.begun THEN -1
            ELSE bitwise_left_shift(BIGINT '-1', CAST(per_producer.begun % 64 AS integer))
        END AS since,
        CASE
            WHEN blocks.block * 64 > per_producer.settled THEN 0
            WHEN blocks.block * 64 + 63 <= per_producer.settled THEN -1
            ELSE bitwise_right_shift(BIGINT '-1', CAST(63 - per_producer.settled % 64 AS integer))
        END AS until
    FROM blocks
    INNER JOIN per_producer ON blocks.producer_id = per_producer.producer_id
    WHERE blocks.block >= per_producer.begun / 64
),

counted AS (
    SELECT
        producer_id,
        begun,
        settled,
        last,
        zero_volumes,
        newest,
        sum(records - bit_count(bits, 64)) AS doubles,
        sum(bit_count(bitwise_and(bits, since), 64)) AS sequences,
        sum(bit_count(bitwise_and(bitwise_and(bits, since), until), 64)) AS settled_sequences
    FROM masked
    GROUP BY producer_id, begun, settled, last, zero_volumes, newest
)

SELECT
    producer_id,
    sequences + doubles AS records,
    last - CAST(begun AS decimal(38, 0)) + 1 AS expected,
    doubles,
    greatest(settled - CAST(begun AS decimal(38, 0)) + 1, 0) - settled_sequences AS missing,
    last - greatest(settled, begun - 1) - (sequences - settled_sequences) AS pending,
    zero_volumes,
    newest
FROM counted
ORDER BY newest DESC, producer_id
LIMIT 10
