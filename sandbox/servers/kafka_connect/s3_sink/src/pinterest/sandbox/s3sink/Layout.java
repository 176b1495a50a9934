package pinterest.sandbox.s3sink;

import java.util.Locale;
import org.apache.kafka.connect.sink.SinkRecord;

/** Where objects lie and how large they grow, as the connector's properties say. */
record Layout(
        String topicsDir,
        String delimiter,
        int zeroPadWidth,
        boolean compressed,
        int flushSize,
        long rotateIntervalMs,
        long maxRotationBytes,
        Partitioner partitioner) {

    /** {@code topics/pinterest.pin/dt=2026-11-24} */
    String folder(SinkRecord record) {
        return topicsDir + "/" + record.topic() + "/" + partitioner.folder(record);
    }

    /** {@code topics/pinterest.pin/dt=2026-11-24/pinterest.pin+0+0000000123.json.gz}, named by its first record. */
    LakeObject newObject(String folder, SinkRecord first) {
        String offset = String.format(Locale.ROOT, "%0" + zeroPadWidth + "d", first.originalKafkaOffset());
        String name = String.join(delimiter, first.topic(), String.valueOf(first.originalKafkaPartition()), offset);
        return new LakeObject(folder + "/" + name + (compressed ? ".json.gz" : ".json"), compressed);
    }
}
