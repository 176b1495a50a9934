-- Purpose: which Kafka offsets bronze has of each partition, and which of the missing ones are explained.

-- Grain of audit.partition_offsets: one row per partition of a generation of a topic, as the last run counted it. Key:
-- topic, generation, partition. audit/record_partition_offsets.sql upserts.
-- end_offset: Kafka's next offset when the run began. missing: {"ranges": [[first, last], …]}, at most the newest thousand.
CREATE TABLE audit.partition_offsets (
    topic text NOT NULL,
    generation text NOT NULL,
    partition integer NOT NULL,
    table_name text NOT NULL,
    first_offset bigint,
    last_offset bigint,
    end_offset bigint,
    missing_offsets bigint NOT NULL,
    missing jsonb NOT NULL,
    counted_at timestamptz NOT NULL,
    PRIMARY KEY (topic, generation, partition)
);

-- Grain of audit.known_gaps: one row per range of offsets that bronze lacks and need not have. Key: all but the reason.
-- Kafka's own (a transaction's marker, a compacted record) are noted by reconcile_rows, others by a person.
CREATE TABLE audit.known_gaps (
    topic text NOT NULL,
    generation text NOT NULL DEFAULT '',
    partition integer NOT NULL,
    first_offset bigint NOT NULL,
    last_offset bigint NOT NULL,
    reason text NOT NULL,
    noted_by text NOT NULL DEFAULT current_user,
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, generation, partition, first_offset, last_offset),
    CHECK (first_offset <= last_offset)
);
