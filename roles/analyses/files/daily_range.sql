-- Daily range: each day's lowest and highest price of a symbol, and the distance between them
SELECT
    substr(event_time, 1, 10) AS day,
    symbol,
    min(low) AS lowest,
    max(high) AS highest,
    round(max(high) - min(low), 2) AS price_range,
    round(1e2 * (max(high) - min(low)) / nullif(min(low), 0), 2) AS range_percent
FROM quotes_all
WHERE dt >= ? AND concat(dt, ' ', hour) >= ?
GROUP BY substr(event_time, 1, 10), symbol
ORDER BY day DESC, range_percent DESC, symbol
LIMIT 10
