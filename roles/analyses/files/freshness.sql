-- Count and freshness: how much there is, and how old the newest quote is
-- seconds_old compares the newest event_time with Athena's clock; a replayed history is as old as its own dates.
SELECT
    count(*) AS records,
    count(DISTINCT symbol) AS symbols,
    count(DISTINCT producer_id) AS producers,
    min(event_time) AS oldest,
    max(event_time) AS newest,
    date_diff('second', from_iso8601_timestamp(max(event_time)), current_timestamp) AS seconds_old,
    max(concat(dt, ' ', hour, 'h')) AS newest_partition
FROM quotes_all
WHERE dt >= ? AND concat(dt, ' ', hour) >= ?
