-- Volume: what was traded most, and its share of all
SELECT
    symbol,
    sum(volume) AS total_volume,
    round(1e0 * sum(volume) / sum(records), 0) AS average_volume,
    max(largest_volume) AS largest_volume,
    round(1e2 * sum(volume) / nullif(sum(sum(volume)) OVER (), 0), 2) AS share_percent
FROM quotes_hours
WHERE dt >= ? AND concat(dt, ' ', hour) >= ? AND day IS NOT NULL
GROUP BY symbol
ORDER BY total_volume DESC, symbol
LIMIT 10
