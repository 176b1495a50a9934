-- Purpose: from what the staged answers were computed, so that a run that finds nothing new computes and writes nothing.
-- source: the lake and the state of its silver tables; NULL where answers in the lake may be newer than the staged ones.
-- notes: posts that no answer could use, by the column that they lack. digests: of each answer's rows in the lake.

ALTER TABLE gold_staging.load ADD COLUMN source jsonb;
ALTER TABLE gold_staging.load ADD COLUMN notes jsonb NOT NULL DEFAULT '{}';
ALTER TABLE gold_staging.load ADD COLUMN digests jsonb NOT NULL DEFAULT '{}';
