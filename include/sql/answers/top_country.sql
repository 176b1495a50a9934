/*
question = "Country of the most followed poster"
chart = { kind = "bars", labels = ["country"], value = "follower_count" }
ties = { column = "follower_count", per = [] }  # every country with a poster who has the greatest count of all

[key]
country = "text"

[value]
follower_count = "bigint"

[bounds]
follower_count = { least = 0 }
*/
WITH largest AS (
    SELECT country, max(follower_count) AS follower_count
    FROM pin_geo
    WHERE country IS NOT NULL AND poster_name IS NOT NULL AND follower_count IS NOT NULL
    GROUP BY country
)
SELECT country, follower_count
FROM largest
WHERE follower_count = (SELECT max(follower_count) FROM largest);
