-- Preview: the newest quotes
-- hours: 2
SELECT
    event_time,
    symbol,
    open,
    high,
    low,
    close,
    volume,
    round(close_usd, 2) AS close_usd
FROM quotes_all
WHERE dt >= ? AND concat(dt, ' ', hour) >= ?
ORDER BY event_time DESC, symbol, sequence DESC
LIMIT 10
