package pinterest.sandbox.s3sink;

import java.time.Instant;
import java.time.ZoneId;

/** Wall-clock rotation, {@code rotate.schedule.interval.ms}: due at each multiple of the interval since midnight. */
final class Schedule {
    private final long intervalMs;
    private final ZoneId zone;
    private long nextMs = Long.MAX_VALUE;

    Schedule(long intervalMs, ZoneId zone, long nowMs) {
        this.intervalMs = intervalMs;
        this.zone = zone;
        if (intervalMs > 0) {
            nextMs = next(nowMs, intervalMs, zone);
        }
    }

    static long next(long nowMs, long intervalMs, ZoneId zone) {
        long midnightMs = Instant.ofEpochMilli(nowMs)
                .atZone(zone)
                .toLocalDate()
                .atStartOfDay(zone)
                .toInstant()
                .toEpochMilli();
        return midnightMs + (Math.floorDiv(nowMs - midnightMs, intervalMs) + 1) * intervalMs;
    }

    /** Whether a rotation is due; if so the next one is set. */
    boolean isDue(long nowMs) {
        if (nowMs < nextMs) {
            return false;
        }
        nextMs = next(nowMs, intervalMs, zone);
        return true;
    }

    /** Milliseconds until the next rotation; very many where there is no schedule. */
    long remainingMs(long nowMs) {
        return Math.max(1, nextMs - nowMs);
    }
}
