/*
question = "Most posted category by country"
chart = { kind = "bars", labels = ["country", "category"], value = "category_count" }
ties = { column = "category_count", per = ["country"] }  # every category with the greatest count of its country

[key]
country = "text"
category = "text"

[value]
category_count = "bigint"

[bounds]
category_count = { least = 1 }
*/
WITH counted AS (
    SELECT country, category, count(*) AS category_count
    FROM pin_geo
    WHERE country IS NOT NULL AND category IS NOT NULL
    GROUP BY country, category
), ranked AS (
    SELECT *, rank() OVER (PARTITION BY country ORDER BY category_count DESC) AS place
    FROM counted
)
SELECT country, category, category_count
FROM ranked
WHERE place = 1;
