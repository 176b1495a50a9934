/*
question = "Median followers by age group"
chart = { kind = "bars", labels = ["age_group"], value = "median_follower_count" }

[key]
age_group = "text"

[value]
median_follower_count = "double precision"

[bounds]
age_group = { one_of = ["18-24", "25-35", "36-50", "50+"] }
median_follower_count = { least = 0 }
*/
SELECT age_group, median(follower_count) AS median_follower_count
FROM followed_users
WHERE age_group IS NOT NULL
GROUP BY age_group;
