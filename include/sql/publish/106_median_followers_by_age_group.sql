-- Purpose: make gold.median_followers_by_age_group equal to the staged answer.
-- Grain: one row per age group. Key: age_group.
-- Idempotent: a second run finds nothing to insert, update or delete. Part of one transaction with its neighbours.
MERGE INTO gold.median_followers_by_age_group AS target
USING gold_staging.median_followers_by_age_group AS staged
    ON target.age_group = staged.age_group
WHEN MATCHED AND target.median_follower_count <> staged.median_follower_count THEN
    UPDATE SET median_follower_count = staged.median_follower_count
WHEN NOT MATCHED BY TARGET THEN
    INSERT (age_group, median_follower_count)
    VALUES (staged.age_group, staged.median_follower_count)
WHEN NOT MATCHED BY SOURCE THEN
    DELETE;
