package pinterest.sandbox.s3sink;

import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.sink.SinkRecord;

/** Names the folder, below the topic's own, in which a record's line goes. */
@FunctionalInterface
interface Partitioner {
    String folder(SinkRecord record);

    /** Confluent's DefaultPartitioner: {@code partition=0}. */
    static Partitioner byKafkaPartition() {
        return record -> "partition=" + record.kafkaPartition();
    }

    /** Confluent's TimeBasedPartitioner: the start of the stretch of local time in which the record's time lies. */
    static Partitioner byTime(TimestampExtractor extractor, long durationMs, ZoneId zone, DateTimeFormatter format) {
        return record -> startOfStretch(extractor.timestampMs(record), durationMs, zone).format(format);
    }

    static LocalDateTime startOfStretch(long timestampMs, long durationMs, ZoneId zone) {
        LocalDateTime local = LocalDateTime.ofInstant(Instant.ofEpochMilli(timestampMs), zone);
        long localMs = local.toInstant(ZoneOffset.UTC).toEpochMilli();
        long startMs = Math.floorDiv(localMs, durationMs) * durationMs;
        return LocalDateTime.ofInstant(Instant.ofEpochMilli(startMs), ZoneOffset.UTC);
    }

    /** Which time counts; the names are Confluent's. */
    enum TimestampExtractor {
        RECORD {
            @Override
            long timestampMs(SinkRecord record) {
                if (record.timestamp() == null) {
                    throw new ConnectException("The record at " + place(record) + " has no timestamp, by which "
                            + S3SinkConfig.TIMESTAMP_EXTRACTOR + "=Record files it: send one, or use Wallclock.");
                }
                return record.timestamp();
            }
        },
        WALLCLOCK {
            @Override
            long timestampMs(SinkRecord record) {
                return System.currentTimeMillis();
            }
        };

        abstract long timestampMs(SinkRecord record);
    }

    /** A record's coordinates for a message. */
    static String place(SinkRecord record) {
        return record.originalTopic() + "-" + record.originalKafkaPartition() + " offset " + record.originalKafkaOffset();
    }
}
