/*
question = "Median followers by join year"
chart = { kind = "bars", labels = ["join_year"], value = "median_follower_count" }

[key]
join_year = "integer"

[value]
median_follower_count = "double precision"

[bounds]
join_year = { least = 2015, most = 2020 }
median_follower_count = { least = 0 }
*/
SELECT join_year, median(follower_count) AS median_follower_count
FROM followed_users
WHERE join_year BETWEEN 2015 AND 2020
GROUP BY join_year;
