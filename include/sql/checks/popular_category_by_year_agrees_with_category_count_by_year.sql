-- A row here is a defect: the popular categories of 2018 to 2022 must be exactly the greatest counts of their years.
WITH expected AS (
    SELECT post_year, category, category_count
    FROM gold.category_count_by_year AS counted
    WHERE post_year BETWEEN 2018 AND 2022
        AND category_count = (
            SELECT max(category_count)
            FROM gold.category_count_by_year AS rival
            WHERE rival.post_year = counted.post_year
        )
)
SELECT post_year, category, expected.category_count AS expected, found.category_count AS found
FROM expected
FULL JOIN gold.popular_category_by_year AS found USING (post_year, category)
WHERE expected.category_count IS DISTINCT FROM found.category_count
ORDER BY post_year, category
LIMIT 20;
