-- Volatility: how far the closes of the last 20 quotes swing, now and at their wildest
-- The standard deviation of log returns in percent of the price, over a window that slides along each symbol's quotes of an hour.
SELECT
    symbol,
    sum(returns) AS returns,
    round(max_by(last_swing, row(last_time, producer_id)) FILTER (WHERE last_swing IS NOT NULL), 4) AS now_percent,
    round(sum(swing_sum) / nullif(sum(swings), 0), 4) AS mean_percent,
    round(max(largest_swing), 4) AS wildest_percent
FROM quotes_hours
WHERE dt >= ? AND concat(dt, ' ', hour) >= ? AND returns IS NOT NULL
GROUP BY symbol
HAVING sum(returns) > 0
ORDER BY now_percent DESC NULLS LAST, symbol
LIMIT 10
