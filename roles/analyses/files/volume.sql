-- Volume: what was traded most, and its share of all
SELECT
    symbol,
    sum(volume) AS total_volume,
    round(avg(volume), 0) AS average_volume,
    max(volume) AS largest_volume,
    round(1e2 * sum(volume) / nullif(sum(sum(volume)) OVER (), 0), 2) AS share_percent
FROM quotes_all
WHERE dt >= ? AND concat(dt, ' ', hour) >= ?
GROUP BY symbol
ORDER BY total_volume DESC, symbol
LIMIT 10
