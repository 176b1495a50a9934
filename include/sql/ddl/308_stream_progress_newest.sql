-- Purpose: the newest micro-batches of a query, which the supervisor asks for every few seconds.
-- Grain: one entry per row of stream.progress, a week of batches.
-- Idempotent: IF NOT EXISTS.
CREATE INDEX IF NOT EXISTS progress_newest ON stream.progress (query, committed_at DESC);
