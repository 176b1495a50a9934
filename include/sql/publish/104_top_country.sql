-- Purpose: make gold.top_country equal to the staged answer.
-- Grain: one row per tied country. Key: country.
-- Idempotent: a second run finds nothing to insert, update or delete. Part of one transaction with its neighbours.
MERGE INTO gold.top_country AS target
USING gold_staging.top_country AS staged
    ON target.country = staged.country
WHEN MATCHED AND target.follower_count <> staged.follower_count THEN
    UPDATE SET follower_count = staged.follower_count
WHEN NOT MATCHED BY TARGET THEN
    INSERT (country, follower_count)
    VALUES (staged.country, staged.follower_count)
WHEN NOT MATCHED BY SOURCE THEN
    DELETE;
