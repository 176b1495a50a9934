-- Purpose: records of one aggregate of the Kinesis Producer Library share sequence number and arrival; sub_sequence (0,
-- 1, …) tells them apart and orders them. payload_bytes keeps a rejected record whose bytes text cannot hold.
-- The key of stream.quarantine becomes stream, shard_id, sequence_number, sub_sequence.
-- A stream of the version before goes on meanwhile: it leaves both columns as they are.

ALTER TABLE stream.pin ADD COLUMN sub_sequence int NOT NULL DEFAULT 0;
ALTER TABLE stream.geo ADD COLUMN sub_sequence int NOT NULL DEFAULT 0;
ALTER TABLE stream."user" ADD COLUMN sub_sequence int NOT NULL DEFAULT 0;

ALTER TABLE stream.quarantine ADD COLUMN sub_sequence int NOT NULL DEFAULT 0, ADD COLUMN payload_bytes bytea;
ALTER TABLE stream.quarantine DROP CONSTRAINT quarantine_pkey,
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (stream, shard_id, sequence_number, sub_sequence);

ALTER TABLE stream.copied_pin ADD COLUMN sub_sequence int NOT NULL DEFAULT 0, ADD COLUMN payload_bytes bytea;
ALTER TABLE stream.copied_geo ADD COLUMN sub_sequence int NOT NULL DEFAULT 0, ADD COLUMN payload_bytes bytea;
ALTER TABLE stream.copied_user ADD COLUMN sub_sequence int NOT NULL DEFAULT 0, ADD COLUMN payload_bytes bytea;
