-- Purpose: make gold.popular_category_by_age_group equal to the staged answer.
-- Grain: one row per age group and tied category. Key: age_group, category.
-- Idempotent: a second run finds nothing to insert, update or delete. Part of one transaction with its neighbours.
MERGE INTO gold.popular_category_by_age_group AS target
USING gold_staging.popular_category_by_age_group AS staged
    ON target.age_group = staged.age_group
    AND target.category = staged.category
WHEN MATCHED AND target.category_count <> staged.category_count THEN
    UPDATE SET category_count = staged.category_count
WHEN NOT MATCHED BY TARGET THEN
    INSERT (age_group, category, category_count)
    VALUES (staged.age_group, staged.category, staged.category_count)
WHEN NOT MATCHED BY SOURCE THEN
    DELETE;
