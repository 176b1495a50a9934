-- Purpose: which gaps in the offsets of some topics (%(topics)s) are explained.
-- Grain: one row per gap. Key: topic, generation, partition, first_offset, last_offset.
-- Idempotent: reads only.
SELECT
    topic,
    generation,
    partition,
    first_offset,
    last_offset
FROM audit.known_gaps
WHERE topic = ANY(%(topics)s)
ORDER BY topic, generation, partition, first_offset, last_offset;
