-- Purpose: the four schemas. gold: published answers, the only schema that readers need. gold_staging: the answers of
-- the gold notebook until they are published. stream: posts seconds after they were sent. audit: row counts of every
-- batch run and of the lake, and the applied migrations.
CREATE SCHEMA IF NOT EXISTS gold;
CREATE SCHEMA IF NOT EXISTS gold_staging;
CREATE SCHEMA IF NOT EXISTS stream;
CREATE SCHEMA IF NOT EXISTS audit;
