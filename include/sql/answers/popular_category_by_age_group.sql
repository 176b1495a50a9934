/*
question = "Most posted category by age group"
chart = { kind = "bars", labels = ["age_group", "category"], value = "category_count" }
ties = { column = "category_count", per = ["age_group"] }  # every category with the greatest count of its age group

[key]
age_group = "text"
category = "text"

[value]
category_count = "bigint"

[bounds]
age_group = { one_of = ["18-24", "25-35", "36-50", "50+"] }
category_count = { least = 1 }
*/
WITH counted AS (
    SELECT age_group, category, count(*) AS category_count
    FROM pin_user
    WHERE age_group IS NOT NULL AND category IS NOT NULL
    GROUP BY age_group, category
), ranked AS (
    SELECT *, rank() OVER (PARTITION BY age_group ORDER BY category_count DESC) AS place
    FROM counted
)
SELECT age_group, category, category_count
FROM ranked
WHERE place = 1;
