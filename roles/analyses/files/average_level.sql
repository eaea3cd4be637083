-- Average level: each symbol's mean close, in its own currency and in US dollars
SELECT
    symbol,
    sum(records) AS records,
    round(sum(close_sum) / sum(records), 2) AS average_close,
    round(min(low), 2) AS lowest,
    round(max(high), 2) AS highest,
    round(sum(close_usd_sum) / sum(records), 2) AS average_close_usd
FROM quotes_hours
WHERE dt >= ? AND concat(dt, ' ', hour) >= ? AND day IS NOT NULL
GROUP BY symbol
ORDER BY average_close_usd DESC, symbol
LIMIT 10
