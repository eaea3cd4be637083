-- Daily range: each day's lowest and highest price of a symbol, and the distance between them
SELECT
    day,
    symbol,
    min(low) AS lowest,
    max(high) AS highest,
    round(max(high) - min(low), 2) AS price_range,
    round(1e2 * (max(high) - min(low)) / nullif(min(low), 0), 2) AS range_percent
FROM quotes_hours
WHERE dt >= ? AND concat(dt, ' ', hour) >= ? AND day IS NOT NULL
GROUP BY day, symbol
ORDER BY day DESC, range_percent DESC, symbol
LIMIT 10
