-- A row here is a defect: the winners of one post year must all have the same count.
SELECT post_year, min(category_count) AS least, max(category_count) AS most
FROM gold.popular_category_by_year
GROUP BY post_year
HAVING min(category_count) <> max(category_count)
ORDER BY post_year
LIMIT 20;
