/*
question = "Users joined by year"
chart = { kind = "bars", labels = ["join_year"], value = "number_users_joined" }

[key]
join_year = "integer"

[value]
number_users_joined = "bigint"

[bounds]
join_year = { least = 2015, most = 2020 }
number_users_joined = { least = 1 }
*/
SELECT join_year, count(*) AS number_users_joined
FROM users
WHERE join_year BETWEEN 2015 AND 2020
GROUP BY join_year;
