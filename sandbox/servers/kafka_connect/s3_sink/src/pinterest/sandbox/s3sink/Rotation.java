package pinterest.sandbox.s3sink;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A run of consecutive records of one topic-partition that reach the lake together: one object for each folder.
 *
 * <p>Its first offset is committed past only when all of its objects are uploaded. A worker that dies in between reads
 * the same run again and, by {@code flush.size}, writes objects of the same names and bytes over the first ones.
 */
final class Rotation {
    final long firstOffset;
    final Map<String, LakeObject> objects = new LinkedHashMap<>();
    private int records;
    private String lastFolder;
    private Long firstTimestampMs;

    Rotation(long firstOffset) {
        this.firstOffset = firstOffset;
    }

    void add(String folder, LakeObject object, byte[] line, Long timestampMs) {
        object.add(line);
        records++;
        lastFolder = folder;
        if (firstTimestampMs == null) {
            firstTimestampMs = timestampMs;
        }
    }

    boolean isFull(int flushSize, long maxBytes) {
        return records >= flushSize
                || objects.values().stream().mapToLong(LakeObject::size).sum() >= maxBytes;
    }

    /** Whether, by {@code rotate.interval.ms}, a record of this folder and time belongs to the next rotation. */
    boolean endsBefore(String folder, Long timestampMs, long rotateIntervalMs) {
        if (rotateIntervalMs <= 0 || records == 0) {
            return false;
        }
        boolean late = timestampMs != null
                && firstTimestampMs != null
                && timestampMs - firstTimestampMs >= rotateIntervalMs;
        return late || !folder.equals(lastFolder);
    }
}
