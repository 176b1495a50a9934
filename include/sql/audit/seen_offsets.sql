-- Purpose: Kafka's next offsets as runs before %(counted_at)s were told them, of some topics (%(topics)s).
-- Grain: one row per partition of a generation of a topic. Key: topic, generation, partition.
-- Idempotent: reads only.
SELECT
    topic,
    generation,
    partition,
    end_offset
FROM audit.partition_offsets
WHERE topic = ANY(%(topics)s) AND end_offset IS NOT NULL AND counted_at < %(counted_at)s
ORDER BY topic, generation, partition;
