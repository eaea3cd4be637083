-- Volume: what was traded most, and its share of all
WITH symbols AS (
    SELECT
        symbol,
        sum(records) AS records,
        sum(CAST(volume AS decimal(38, 0))) AS volume,
        max(largest_volume) AS largest_volume
    FROM quotes_hours
    WHERE dt >= ? AND concat(dt, ' ', hour) >= ? AND day IS NOT NULL
    GROUP BY symbol
)

SELECT
    symbol,
    volume AS total_volume,
    round(1e0 * volume / records, 0) AS average_volume,
    largest_volume,
    round(1e2 * volume / nullif(sum(volume) OVER (), 0), 2) AS share_percent
FROM symbols
ORDER BY total_volume DESC, symbol
LIMIT 10
