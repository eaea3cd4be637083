-- Trend by interval: minute for minute, how many symbols rose and fell, and by how much on average
-- hours: 2
-- Only the quotes of the newest ten minutes that have any are grouped by symbol, of the newest two hours of arrival.
WITH recent AS (
    SELECT
        event_time,
        symbol,
        open,
        close,
        volume
    FROM quotes_all
    WHERE dt >= ? AND concat(dt, ' ', hour) >= ?
),

newest AS (
    SELECT substr(event_time, 1, 16) AS minute
    FROM recent
    GROUP BY substr(event_time, 1, 16)
    ORDER BY minute DESC
    LIMIT 10
),

intervals AS (
    SELECT
        substr(event_time, 1, 16) AS minute,
        symbol,
        count(*) AS records,
        sum(CAST(volume AS decimal(38, 0))) AS volume,
        min_by(open, event_time) AS first_open,
        max_by(close, event_time) AS last_close
    FROM recent
    WHERE event_time >= (SELECT min(minute) FROM newest)
    GROUP BY substr(event_time, 1, 16), symbol
)

SELECT
    minute,
    sum(records) AS records,
    count_if(last_close > first_open) AS rising,
    count_if(last_close < first_open) AS falling,
    round(avg(1e2 * (last_close - first_open) / nullif(first_open, 0)), 3) AS mean_change_percent,
    sum(volume) AS volume
FROM intervals
GROUP BY minute
ORDER BY minute DESC
LIMIT 10
