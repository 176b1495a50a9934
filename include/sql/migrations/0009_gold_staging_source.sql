-- Purpose: from what the staged answers were computed, so that a run that finds nothing new computes and writes nothing.
-- source: the lake, the state of its silver tables and the code's version; NULL where answers in the lake may be newer than the staged ones.
-- notes: posts that no answer could use, by the column that they lack. lake_tables: of each answer's table in the lake
-- a digest of its rows, and its state.

ALTER TABLE gold_staging.load ADD COLUMN source jsonb;
ALTER TABLE gold_staging.load ADD COLUMN notes jsonb NOT NULL DEFAULT '{}';
ALTER TABLE gold_staging.load ADD COLUMN lake_tables jsonb NOT NULL DEFAULT '{}';
