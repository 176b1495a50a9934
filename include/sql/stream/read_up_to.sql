-- Purpose: how far a stream has been read, by what was committed of it: asked before it is deleted.
-- Grain: one row per shard. Columns, in this order: shard_id, sequence_number, last_arrival (not needed here).
-- Read only. No row where nothing of the stream was ever committed.
SELECT shard_id, sequence_number, NULL::timestamptz AS last_arrival
FROM stream.position
WHERE stream = %(stream)s;
