-- Posts as the stream delivers them, seconds after they were sent.
-- Idempotent: IF NOT EXISTS.
CREATE SCHEMA IF NOT EXISTS stream;
