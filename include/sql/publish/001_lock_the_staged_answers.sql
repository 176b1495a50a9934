-- Purpose: hold the one row of gold_staging.load until this transaction ends, so that a loader, which writes the row
-- first, cannot replace the staged answers half-way through; and refuse to publish what was never loaded.
-- Idempotent: it changes nothing.
DO $$
BEGIN
    PERFORM FROM gold_staging.load FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'gold_staging was never loaded: run the gold stage of pinterest_daily_batch first';
    END IF;
END $$;
