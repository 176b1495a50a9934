package pinterest.sandbox.s3sink;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.errors.RetriableException;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;

/**
 * Writes records to S3 as lines of JSON, at least once: an offset is committed only when everything before it is in
 * the lake. After a crash or a rebalance the records since then are read, and written, again.
 *
 * <p>While S3 is away {@code put} throws {@link RetriableException}; Connect pauses the consumer and hands the same
 * records over again until they pass. What is buffered stays meanwhile, and records already in it are passed over,
 * so that an outage moves neither the objects' names nor the memory in use.
 */
public final class S3SinkTask extends SinkTask {
    private final Map<TopicPartition, PartitionBuffer> buffers = new HashMap<>();
    private final JsonConverter json = new JsonConverter();
    private S3SinkConfig config;
    private Layout layout;
    private Schedule schedule;
    private ObjectStore store;
    private boolean isRedelivery;

    @Override
    public String version() {
        return S3SinkConnector.VERSION;
    }

    @Override
    public void start(Map<String, String> properties) {
        config = new S3SinkConfig(properties);
        layout = config.layout();
        schedule = new Schedule(
                config.getLong(S3SinkConfig.ROTATE_SCHEDULE_INTERVAL_MS), config.zone(), System.currentTimeMillis());
        json.configure(Map.of("schemas.enable", "false", "converter.type", "value"));
        store = new ObjectStore(config);
        store.requireBucket();
    }

    @Override
    public void put(Collection<SinkRecord> records) {
        for (SinkRecord record : records) {
            PartitionBuffer buffer = buffers.computeIfAbsent(partition(record), p -> new PartitionBuffer(layout));
            if (!(isRedelivery && buffer.has(record))) {
                take(record, buffer);
            }
        }
        if (schedule.isDue(System.currentTimeMillis())) {
            buffers.values().forEach(PartitionBuffer::seal);
        }
        upload();
        if (buffers.values().stream().anyMatch(PartitionBuffer::isOpen)) {
            context.timeout(schedule.remainingMs(System.currentTimeMillis())); // then put is called without records
        }
    }

    private void take(SinkRecord record, PartitionBuffer buffer) {
        if (record.value() != null) {
            buffer.add(record, json.fromConnectData(record.topic(), record.valueSchema(), record.value()));
        } else if (config.ignoresNullValues()) {
            buffer.skip(record);
        } else {
            throw new ConnectException("The record at " + Partitioner.place(record) + " has no value. Set "
                    + S3SinkConfig.BEHAVIOR_ON_NULL_VALUES + "=ignore to leave such records out of the lake, or a"
                    + " HoistField transform to keep them.");
        }
    }

    private void upload() {
        int uploaded = 0;
        try {
            for (PartitionBuffer buffer : buffers.values()) {
                uploaded += buffer.upload(store::put);
            }
        } catch (RetriableException error) {
            isRedelivery = true;
            context.timeout(config.getLong(S3SinkConfig.RETRY_BACKOFF_MS));
            throw error;
        }
        isRedelivery = false;
        if (uploaded > 0) {
            context.requestCommit();
        }
    }

    /** Answers with how far the lake is, not with how far Connect has read. */
    @Override
    public Map<TopicPartition, OffsetAndMetadata> preCommit(Map<TopicPartition, OffsetAndMetadata> read) {
        Map<TopicPartition, OffsetAndMetadata> written = new HashMap<>(read);
        buffers.forEach((partition, buffer) -> buffer.firstUnsentOffset()
                .ifPresent(offset -> written.computeIfPresent(
                        partition,
                        (p, upTo) -> upTo.offset() <= offset ? upTo : new OffsetAndMetadata(offset))));
        return written;
    }

    @Override
    public void close(Collection<TopicPartition> partitions) {
        buffers.keySet().removeAll(partitions);
    }

    @Override
    public void stop() {
        buffers.clear();
        if (store != null) {
            store.close();
        }
    }

    private static TopicPartition partition(SinkRecord record) {
        return new TopicPartition(record.originalTopic(), record.originalKafkaPartition());
    }
}
