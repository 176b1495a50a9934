/*
question = "Most posted category by year"
chart = { kind = "bars", labels = ["post_year", "category"], value = "category_count" }
ties = { column = "category_count", per = ["post_year"] }  # every category with the greatest count of its year

[key]
post_year = "integer"
category = "text"

[value]
category_count = "bigint"

[bounds]
post_year = { least = 2018, most = 2022 }
category_count = { least = 1 }
*/
WITH counted AS (
    SELECT post_year, category, count(*) AS category_count
    FROM pin_geo
    WHERE post_year BETWEEN 2018 AND 2022 AND category IS NOT NULL
    GROUP BY post_year, category
), ranked AS (
    SELECT *, rank() OVER (PARTITION BY post_year ORDER BY category_count DESC) AS place
    FROM counted
)
SELECT post_year, category, category_count
FROM ranked
WHERE place = 1;
