-- Purpose: make gold.median_followers_by_join_year equal to the staged answer.
-- Grain: one row per year. Key: join_year.
-- Idempotent: a second run finds nothing to insert, update or delete. Part of one transaction with its neighbours.
MERGE INTO gold.median_followers_by_join_year AS target
USING gold_staging.median_followers_by_join_year AS staged
    ON target.join_year = staged.join_year
WHEN MATCHED AND target.median_follower_count <> staged.median_follower_count THEN
    UPDATE SET median_follower_count = staged.median_follower_count
WHEN NOT MATCHED BY TARGET THEN
    INSERT (join_year, median_follower_count)
    VALUES (staged.join_year, staged.median_follower_count)
WHEN NOT MATCHED BY SOURCE THEN
    DELETE;
