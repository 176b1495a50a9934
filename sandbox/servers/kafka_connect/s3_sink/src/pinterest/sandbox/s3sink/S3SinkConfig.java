package pinterest.sandbox.s3sink;

import java.time.DateTimeException;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigDef.Importance;
import org.apache.kafka.common.config.ConfigDef.Range;
import org.apache.kafka.common.config.ConfigDef.Type;
import org.apache.kafka.common.config.ConfigDef.ValidString;
import org.apache.kafka.common.config.ConfigException;

/**
 * The properties of the Confluent S3 sink that this plugin understands, by Confluent's names, defaults and values. All
 * others are refused by {@link #problems}, since a property that is silently ignored here would change the lake there.
 */
final class S3SinkConfig extends AbstractConfig {
    static final String BUCKET = "s3.bucket.name";
    static final String REGION = "s3.region";
    static final String STORE_URL = "store.url";
    static final String PATH_STYLE = "s3.path.style.access.enabled";
    static final String COMPRESSION = "s3.compression.type";
    static final String PART_SIZE = "s3.part.size";
    static final String TOPICS_DIR = "topics.dir";
    static final String FLUSH_SIZE = "flush.size";
    static final String ROTATE_INTERVAL_MS = "rotate.interval.ms";
    static final String ROTATE_SCHEDULE_INTERVAL_MS = "rotate.schedule.interval.ms";
    static final String RETRY_BACKOFF_MS = "retry.backoff.ms";
    static final String BEHAVIOR_ON_NULL_VALUES = "behavior.on.null.values";
    static final String FILE_DELIM = "file.delim";
    static final String ZERO_PAD_WIDTH = "filename.offset.zero.pad.width";
    static final String STORAGE_CLASS = "storage.class";
    static final String FORMAT_CLASS = "format.class";
    static final String SCHEMA_COMPATIBILITY = "schema.compatibility";
    static final String PARTITIONER_CLASS = "partitioner.class";
    static final String PATH_FORMAT = "path.format";
    static final String PARTITION_DURATION_MS = "partition.duration.ms";
    static final String LOCALE = "locale";
    static final String TIMEZONE = "timezone";
    static final String TIMESTAMP_EXTRACTOR = "timestamp.extractor";

    private static final String STORAGE = "io.confluent.connect.s3.storage.S3Storage";
    private static final String FORMAT = "io.confluent.connect.s3.format.json.JsonFormat";
    private static final String PARTITIONERS = "io.confluent.connect.storage.partitioner.";
    private static final String BY_PARTITION = PARTITIONERS + "DefaultPartitioner";
    private static final String BY_TIME = PARTITIONERS + "TimeBasedPartitioner";
    /** Confluent's uploads in parts; this plugin holds an object in memory, and ends it early at this size. */
    private static final long MAX_ROTATION_BYTES = 16L * 1024 * 1024;

    static final ConfigDef DEFINITION = new ConfigDef()
            .define(BUCKET, Type.STRING, required(), Importance.HIGH, "Bucket; it must exist.")
            .define(REGION, Type.STRING, required(), Importance.HIGH, "Region of the bucket.")
            .define(STORE_URL, Type.STRING, null, Importance.LOW, "S3 endpoint; null: as the AWS SDK finds it.")
            .define(PATH_STYLE, Type.BOOLEAN, true, Importance.LOW, "Bucket in the path, not in the host name.")
            .define(COMPRESSION, Type.STRING, "none", oneOf("none", "gzip"), Importance.LOW, "Of the objects.")
            .define(PART_SIZE, Type.INT, 26_214_400, Range.atLeast(5_242_880), Importance.LOW, "Not used here.")
            .define(TOPICS_DIR, Type.STRING, "topics", notEmpty(), Importance.LOW, "First part of the keys.")
            .define(FLUSH_SIZE, Type.INT, required(), Range.atLeast(1), Importance.HIGH, "Records per rotation.")
            .define(ROTATE_INTERVAL_MS, Type.LONG, -1L, Importance.MEDIUM, "Rotation by the records' time.")
            .define(ROTATE_SCHEDULE_INTERVAL_MS, Type.LONG, -1L, Importance.MEDIUM, "Rotation by the clock.")
            .define(RETRY_BACKOFF_MS, Type.LONG, 5000L, Range.atLeast(1), Importance.LOW, "While S3 is away.")
            .define(BEHAVIOR_ON_NULL_VALUES, Type.STRING, "fail", oneOf("fail", "ignore"), Importance.LOW, "")
            .define(FILE_DELIM, Type.STRING, "+", notEmpty(), Importance.LOW, "Between the parts of a name.")
            .define(ZERO_PAD_WIDTH, Type.INT, 10, Range.between(1, 19), Importance.LOW, "Of the first offset.")
            .define(STORAGE_CLASS, Type.STRING, required(), oneOf(STORAGE), Importance.HIGH, "")
            .define(FORMAT_CLASS, Type.STRING, required(), oneOf(FORMAT), Importance.HIGH, "")
            .define(SCHEMA_COMPATIBILITY, Type.STRING, "NONE", oneOf("NONE"), Importance.LOW, "")
            .define(PARTITIONER_CLASS, Type.STRING, BY_PARTITION, oneOf(BY_PARTITION, BY_TIME), Importance.HIGH, "")
            .define(PATH_FORMAT, Type.STRING, "", Importance.MEDIUM, "Joda-Time pattern of the folder.")
            .define(PARTITION_DURATION_MS, Type.LONG, -1L, Importance.MEDIUM, "Time that one folder covers.")
            .define(LOCALE, Type.STRING, "", Importance.MEDIUM, "Language tag, such as en-US.")
            .define(TIMEZONE, Type.STRING, "", S3SinkConfig::checkZone, Importance.MEDIUM, "Such as UTC.")
            .define(TIMESTAMP_EXTRACTOR, Type.STRING, "Wallclock", oneOf("Wallclock", "Record"), Importance.LOW, "");

    /** What Connect itself reads from a sink connector's properties: names, and beginnings that end with a dot. */
    private static final List<String> OF_CONNECT = List.of(
            "name", "connector.class", "connector.plugin.version", "tasks.max", "tasks.max.enforce",
            "topics", "topics.regex", "config.action.reload", "key.converter", "value.converter",
            "header.converter", "transforms", "predicates", "key.converter.", "value.converter.",
            "header.converter.", "transforms.", "predicates.", "errors.", "consumer.override.",
            "producer.override.", "admin.override.");

    /** For a task: Connect has validated what it is given, and added properties of its own. */
    S3SinkConfig(Map<String, String> properties) {
        super(DEFINITION, properties);
    }

    /** What one property's own definition cannot see, as property to message. */
    static Map<String, String> problems(Map<String, String> properties) {
        Map<String, String> problems = new TreeMap<>();
        properties.keySet().stream().filter(name -> !isKnown(name)).forEach(name -> problems.put(name, unknown(name)));
        boolean byTime = BY_TIME.equals(properties.get(PARTITIONER_CLASS));
        if (byTime) {
            for (String needed : List.of(PATH_FORMAT, PARTITION_DURATION_MS, LOCALE, TIMEZONE)) {
                if (properties.getOrDefault(needed, "").isBlank()) {
                    problems.put(needed, needed + " is required by " + PARTITIONER_CLASS + "=" + BY_TIME);
                }
            }
            checkPathFormat(properties.getOrDefault(PATH_FORMAT, ""), problems);
            if (isZeroOrLess(properties.get(PARTITION_DURATION_MS))) {
                problems.put(PARTITION_DURATION_MS, PARTITION_DURATION_MS + " must be above 0");
            }
        }
        if (isSet(properties, ROTATE_SCHEDULE_INTERVAL_MS) && properties.getOrDefault(TIMEZONE, "").isBlank()) {
            problems.put(TIMEZONE, TIMEZONE + " is required by " + ROTATE_SCHEDULE_INTERVAL_MS);
        }
        if (isSet(properties, ROTATE_INTERVAL_MS) && !byTime) {
            problems.put(ROTATE_INTERVAL_MS, ROTATE_INTERVAL_MS + " has no effect without " + BY_TIME);
        }
        return problems;
    }

    Layout layout() {
        return new Layout(
                getString(TOPICS_DIR),
                getString(FILE_DELIM),
                getInt(ZERO_PAD_WIDTH),
                getString(COMPRESSION).equals("gzip"),
                getInt(FLUSH_SIZE),
                getLong(ROTATE_INTERVAL_MS),
                MAX_ROTATION_BYTES,
                partitioner());
    }

    private Partitioner partitioner() {
        if (getString(PARTITIONER_CLASS).equals(BY_PARTITION)) {
            return Partitioner.byKafkaPartition();
        }
        String extractor = getString(TIMESTAMP_EXTRACTOR).toUpperCase(Locale.ROOT);
        DateTimeFormatter format = PathFormat.compile(getString(PATH_FORMAT), Locale.forLanguageTag(getString(LOCALE)));
        return Partitioner.byTime(
                Partitioner.TimestampExtractor.valueOf(extractor), getLong(PARTITION_DURATION_MS), zone(), format);
    }

    ZoneId zone() {
        return getString(TIMEZONE).isBlank() ? ZoneId.of("UTC") : ZoneId.of(getString(TIMEZONE));
    }

    boolean ignoresNullValues() {
        return getString(BEHAVIOR_ON_NULL_VALUES).equals("ignore");
    }

    private static boolean isKnown(String name) {
        return DEFINITION.names().contains(name)
                || OF_CONNECT.stream().anyMatch(own -> own.endsWith(".") ? name.startsWith(own) : name.equals(own));
    }

    private static String unknown(String name) {
        return name + " is not supported by the sandbox's S3 sink, which knows "
                + String.join(", ", DEFINITION.names().stream().sorted().toList()) + " and Connect's own properties";
    }

    private static boolean isSet(Map<String, String> properties, String name) {
        return properties.containsKey(name) && !isZeroOrLess(properties.get(name));
    }

    /** False for what is no number: its own definition says so. */
    private static boolean isZeroOrLess(String value) {
        return value != null && value.trim().matches("-\\d+|0+");
    }

    private static void checkPathFormat(String pattern, Map<String, String> problems) {
        try {
            PathFormat.compile(pattern, Locale.ROOT);
        } catch (ConfigException error) {
            problems.put(PATH_FORMAT, error.getMessage());
        }
    }

    private static void checkZone(String name, Object value) {
        try {
            if (value != null && !value.toString().isBlank()) {
                ZoneId.of(value.toString());
            }
        } catch (DateTimeException error) {
            throw new ConfigException(name, value, "not a time zone such as UTC or Europe/Berlin");
        }
    }

    private static Object required() {
        return ConfigDef.NO_DEFAULT_VALUE;
    }

    private static ValidString oneOf(String... values) {
        return ValidString.in(values);
    }

    private static ConfigDef.Validator notEmpty() {
        return new ConfigDef.NonEmptyString();
    }
}
