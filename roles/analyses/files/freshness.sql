-- Count and freshness: how much there is, and how old the newest quote is
-- seconds_old compares the newest event_time with Athena's clock; a replayed history is as old as its own dates.
SELECT
    coalesce(sum(records), 0) AS records,
    count(DISTINCT symbol) AS symbols,
    count(DISTINCT producer_id) AS producers,
    min(first_time) AS oldest,
    max(last_time) AS newest,
    date_diff('second', from_iso8601_timestamp(max(last_time)), current_timestamp) AS seconds_old,
    max(concat(dt, ' ', hour, 'h')) AS newest_partition
FROM quotes_hours
WHERE dt >= ? AND concat(dt, ' ', hour) >= ? AND day IS NOT NULL
