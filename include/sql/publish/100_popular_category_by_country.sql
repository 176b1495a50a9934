-- Purpose: make gold.popular_category_by_country equal to the staged answer.
-- Grain: one row per country and tied category. Key: country, category.
-- Idempotent: a second run finds nothing to insert, update or delete. Part of one transaction with its neighbours.
MERGE INTO gold.popular_category_by_country AS target
USING gold_staging.popular_category_by_country AS staged
    ON target.country = staged.country
    AND target.category = staged.category
WHEN MATCHED AND target.category_count <> staged.category_count THEN
    UPDATE SET category_count = staged.category_count
WHEN NOT MATCHED BY TARGET THEN
    INSERT (country, category, category_count)
    VALUES (staged.country, staged.category, staged.category_count)
WHEN NOT MATCHED BY SOURCE THEN
    DELETE;
