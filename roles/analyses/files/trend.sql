-- Trend by interval: minute for minute, how many symbols rose and fell, and by how much on average
WITH intervals AS (
    SELECT
        substr(event_time, 1, 16) AS minute,
        symbol,
        count(*) AS records,
        sum(volume) AS volume,
        min_by(open, event_time) AS first_open,
        max_by(close, event_time) AS last_close
    FROM quotes_all
    WHERE dt >= ? AND concat(dt, ' ', hour) >= ?
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
