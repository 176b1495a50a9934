-- Purpose: the oldest rejected records, which the stream deletes once they are older than its quarantine_days, and the
-- newest, which the page shows.

CREATE INDEX quarantine_age ON stream.quarantine (committed_at);
