package pinterest.sandbox.s3sink;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.OptionalLong;
import java.util.function.Consumer;
import org.apache.kafka.connect.sink.SinkRecord;

/** What one topic-partition has read from Kafka and not yet brought to the lake. Knows neither S3 nor the clock. */
final class PartitionBuffer {
    private final Layout layout;
    private final Deque<Rotation> sealed = new ArrayDeque<>();
    private Rotation current;
    private long nextOffset = -1;

    PartitionBuffer(Layout layout) {
        this.layout = layout;
    }

    /** Whether the record was taken before: used only while Connect hands the same records over again. */
    boolean has(SinkRecord record) {
        return record.originalKafkaOffset() < nextOffset;
    }

    void add(SinkRecord record, byte[] line) {
        String folder = layout.folder(record);
        if (current != null && current.endsBefore(folder, record.timestamp(), layout.rotateIntervalMs())) {
            seal();
        }
        if (current == null) {
            current = new Rotation(record.originalKafkaOffset());
        }
        LakeObject object = current.objects.computeIfAbsent(folder, f -> layout.newObject(f, record));
        current.add(folder, object, line, record.timestamp());
        nextOffset = record.originalKafkaOffset() + 1;
        if (current.isFull(layout.flushSize(), layout.maxRotationBytes())) {
            seal();
        }
    }

    /** Passes over a record that is to leave no line. */
    void skip(SinkRecord record) {
        nextOffset = record.originalKafkaOffset() + 1;
    }

    /** Ends the current rotation, so that it is uploaded next. */
    void seal() {
        if (current != null) {
            sealed.add(current);
            current = null;
        }
    }

    boolean isOpen() {
        return current != null;
    }

    /** Uploads what is sealed, oldest first, and counts it. Where that throws, the rest stays for the next call. */
    int upload(Consumer<LakeObject> put) {
        int uploaded = 0;
        while (!sealed.isEmpty()) {
            var objects = sealed.peek().objects.values().iterator();
            while (objects.hasNext()) {
                put.accept(objects.next());
                objects.remove();
                uploaded++;
            }
            sealed.remove();
        }
        return uploaded;
    }

    /** The offset before which everything is in the lake; empty where nothing is held back. */
    OptionalLong firstUnsentOffset() {
        Rotation oldest = sealed.isEmpty() ? current : sealed.peek();
        return oldest == null ? OptionalLong.empty() : OptionalLong.of(oldest.firstOffset);
    }
}
