-- Purpose: make gold.top_user_by_country equal to the staged answer.
-- Grain: one row per country and tied poster. Key: country, poster_name.
-- Idempotent: a second run finds nothing to insert, update or delete. Part of one transaction with its neighbours.
MERGE INTO gold.top_user_by_country AS target
USING gold_staging.top_user_by_country AS staged
    ON target.country = staged.country
    AND target.poster_name = staged.poster_name
WHEN MATCHED AND target.follower_count <> staged.follower_count THEN
    UPDATE SET follower_count = staged.follower_count
WHEN NOT MATCHED BY TARGET THEN
    INSERT (country, poster_name, follower_count)
    VALUES (staged.country, staged.poster_name, staged.follower_count)
WHEN NOT MATCHED BY SOURCE THEN
    DELETE;
