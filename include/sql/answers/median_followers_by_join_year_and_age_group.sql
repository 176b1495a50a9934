/*
question = "Median followers by age group and join year"
chart = { kind = "grid", labels = ["age_group", "join_year"], value = "median_follower_count" }

[key]
age_group = "text"
join_year = "integer"

[value]
median_follower_count = "double precision"

[bounds]
age_group = { one_of = ["18-24", "25-35", "36-50", "50+"] }
join_year = { least = 2015, most = 2020 }
median_follower_count = { least = 0 }
*/
SELECT age_group, join_year, median(follower_count) AS median_follower_count
FROM followed_users
WHERE join_year BETWEEN 2015 AND 2020 AND age_group IS NOT NULL
GROUP BY age_group, join_year;
