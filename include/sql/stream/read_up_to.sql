-- Purpose: how far a query of the stream has read, by what it has committed: asked before its stream is retired.
-- Grain: one row for the whole stream. Columns, in this order: shard_id, sequence_number, last_arrival.
-- Read only. NULL throughout where the query has never committed anything.
SELECT NULL::text AS shard_id, NULL::numeric AS sequence_number, max(last_arrival) AS last_arrival
FROM stream.progress
WHERE query = %(query)s;
