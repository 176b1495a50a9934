-- Purpose: make gold.popular_category_by_year equal to the staged answer.
-- Grain: one row per year and tied category. Key: post_year, category.
-- Idempotent: a second run finds nothing to insert, update or delete. Part of one transaction with its neighbours.
MERGE INTO gold.popular_category_by_year AS target
USING gold_staging.popular_category_by_year AS staged
    ON target.post_year = staged.post_year
    AND target.category = staged.category
WHEN MATCHED AND target.category_count <> staged.category_count THEN
    UPDATE SET category_count = staged.category_count
WHEN NOT MATCHED BY TARGET THEN
    INSERT (post_year, category, category_count)
    VALUES (staged.post_year, staged.category, staged.category_count)
WHEN NOT MATCHED BY SOURCE THEN
    DELETE;
