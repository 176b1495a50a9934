-- Purpose: what a stream has lost, or may have, and which user accepted that it goes on with what is left.
-- Grain: one row per loss of a query. A query that finds one writes what and stops, until accepted_at; the launch that
-- then goes on sets used_at. An acceptance that was given before waits for the next launch, and is used up by it.
-- lost_from, lost_to: arrival at Kinesis of what may be lost. lost_records: by CloudWatch's count of what arrived in that
-- time, or by the checkpoint; NULL where neither says. alarmed_at: when the supervisor raised the alarm of it.
CREATE TABLE IF NOT EXISTS stream.data_loss (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    query text NOT NULL,
    found_at timestamptz,
    what text,
    lost_from timestamptz,
    lost_to timestamptz,
    lost_records bigint,
    alarmed_at timestamptz,
    accepted_at timestamptz,
    accepted_by text,
    reason text,
    used_at timestamptz,
    CHECK (found_at IS NOT NULL OR accepted_at IS NOT NULL)
);

-- Purpose: one loss of a query, or one acceptance, is open at a time.
CREATE UNIQUE INDEX IF NOT EXISTS data_loss_open ON stream.data_loss (query) WHERE used_at IS NULL;

-- Purpose: how far each query was behind at the last check of the supervisor, whether it runs, is paused or dead.
-- Grain: one row per query. lag_ms: age of the oldest record of its stream that is not committed, 0 where there is none,
-- NULL where nothing says. hours_left: until that record expires. level: 'keeps up', 'behind' (the lag is above
-- lag_warning_seconds) or 'at risk' (above lag_alarm_share of the retention). source: of lag_ms, cloudwatch or shards.
-- alarmed_at: when the supervisor raised the alarm of 'at risk'; NULL again once it is over.
CREATE TABLE IF NOT EXISTS stream.lag (
    query text PRIMARY KEY,
    stream text NOT NULL,
    lag_ms bigint,
    hours_left double precision,
    retention_hours int NOT NULL,
    level text NOT NULL,
    source text NOT NULL,
    checked_at timestamptz NOT NULL DEFAULT now(),
    alarmed_at timestamptz
);
