-- Purpose: make gold.users_joined_by_year equal to the staged answer.
-- Grain: one row per year. Key: join_year.
-- Idempotent: a second run finds nothing to insert, update or delete. Part of one transaction with its neighbours.
MERGE INTO gold.users_joined_by_year AS target
USING gold_staging.users_joined_by_year AS staged
    ON target.join_year = staged.join_year
WHEN MATCHED AND target.number_users_joined <> staged.number_users_joined THEN
    UPDATE SET number_users_joined = staged.number_users_joined
WHEN NOT MATCHED BY TARGET THEN
    INSERT (join_year, number_users_joined)
    VALUES (staged.join_year, staged.number_users_joined)
WHEN NOT MATCHED BY SOURCE THEN
    DELETE;
