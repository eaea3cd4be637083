-- Average level: each symbol's mean close, in its own currency and in US dollars
SELECT
    symbol,
    count(*) AS records,
    round(avg(close), 2) AS average_close,
    round(min(low), 2) AS lowest,
    round(max(high), 2) AS highest,
    round(avg(close_usd), 2) AS average_close_usd
FROM quotes_all
WHERE dt >= ? AND concat(dt, ' ', hour) >= ?
GROUP BY symbol
ORDER BY average_close_usd DESC, symbol
LIMIT 10
