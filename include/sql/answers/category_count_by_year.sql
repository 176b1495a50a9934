/*
question = "Posts by category and year"
chart = { kind = "grid", labels = ["category", "post_year"], value = "category_count" }

[key]
post_year = "integer"
category = "text"

[value]
category_count = "bigint"

[bounds]
post_year = { least = 2005, most = "tomorrow" }  # as silver accepts them
category_count = { least = 1 }
*/
SELECT post_year, category, count(*) AS category_count
FROM pin_geo
WHERE post_year IS NOT NULL AND category IS NOT NULL
GROUP BY post_year, category;
