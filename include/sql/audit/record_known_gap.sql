-- Purpose: note offsets that bronze lacks because Kafka has no record there.
-- Grain and key: those of audit.known_gaps: topic, generation, partition, first_offset, last_offset.
-- Idempotent: what is noted stays as it is.
INSERT INTO audit.known_gaps (topic, generation, partition, first_offset, last_offset, reason, noted_by)
VALUES (%(topic)s, %(generation)s, %(partition)s, %(first_offset)s, %(last_offset)s, %(reason)s, %(noted_by)s)
ON CONFLICT DO NOTHING;
