/*
question = "Most followed poster by country"
chart = { kind = "bars", labels = ["country", "poster_name"], value = "follower_count" }
ties = { column = "follower_count", per = ["country"] }  # every poster with the greatest count of the country

[key]
country = "text"
poster_name = "text"

[value]
follower_count = "bigint"

[bounds]
follower_count = { least = 0 }
*/
WITH largest AS (
    SELECT country, poster_name, max(follower_count) AS follower_count
    FROM pin_geo
    WHERE country IS NOT NULL AND poster_name IS NOT NULL AND follower_count IS NOT NULL
    GROUP BY country, poster_name
), ranked AS (
    SELECT *, rank() OVER (PARTITION BY country ORDER BY follower_count DESC) AS place
    FROM largest
)
SELECT country, poster_name, follower_count
FROM ranked
WHERE place = 1;
