-- A row here is a defect: the winners of one age group must all have the same count.
SELECT age_group, min(category_count) AS least, max(category_count) AS most
FROM gold.popular_category_by_age_group
GROUP BY age_group
HAVING min(category_count) <> max(category_count)
ORDER BY age_group
LIMIT 20;
