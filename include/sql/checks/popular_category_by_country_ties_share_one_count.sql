-- A row here is a defect: the winners of one country must all have the same count.
SELECT country, min(category_count) AS least, max(category_count) AS most
FROM gold.popular_category_by_country
GROUP BY country
HAVING min(category_count) <> max(category_count)
ORDER BY country
LIMIT 20;
