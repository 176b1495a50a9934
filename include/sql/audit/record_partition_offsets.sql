-- Purpose: note which Kafka offsets bronze has of a partition.
-- Grain and key: those of audit.partition_offsets: topic, generation, partition.
-- Idempotent: an upsert; what was counted before the row that is here changes nothing.
INSERT INTO audit.partition_offsets (
    topic,
    generation,
    partition,
    table_name,
    first_offset,
    last_offset,
    end_offset,
    missing_offsets,
    missing,
    counted_at
)
VALUES (
    %(topic)s,
    %(generation)s,
    %(partition)s,
    %(table_name)s,
    %(first_offset)s,
    %(last_offset)s,
    %(end_offset)s,
    %(missing_offsets)s,
    %(missing)s::jsonb,
    %(counted_at)s
)
ON CONFLICT (topic, generation, partition) DO UPDATE SET
    table_name = excluded.table_name,
    first_offset = excluded.first_offset,
    last_offset = excluded.last_offset,
    end_offset = coalesce(excluded.end_offset, audit.partition_offsets.end_offset),
    missing_offsets = excluded.missing_offsets,
    missing = excluded.missing,
    counted_at = excluded.counted_at
WHERE excluded.counted_at >= audit.partition_offsets.counted_at;
