package pinterest.sandbox.s3sink;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.Config;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigValue;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.sink.SinkConnector;

/**
 * The sandbox's stand-in for the Confluent S3 sink, which no package registry has: the same property names and the
 * same objects for what it supports, and a refusal, by name, of everything else.
 */
public final class S3SinkConnector extends SinkConnector {
    static final String VERSION = "1.0.0";
    private Map<String, String> properties;

    @Override
    public void start(Map<String, String> given) {
        properties = given;
    }

    @Override
    public Config validate(Map<String, String> given) {
        Map<String, ConfigValue> values = new LinkedHashMap<>();
        super.validate(given).configValues().forEach(value -> values.put(value.name(), value));
        S3SinkConfig.problems(given).forEach((name, message) ->
                values.computeIfAbsent(name, ConfigValue::new).addErrorMessage(message));
        return new Config(List.copyOf(values.values()));
    }

    @Override
    public Class<? extends Task> taskClass() {
        return S3SinkTask.class;
    }

    @Override
    public List<Map<String, String>> taskConfigs(int maxTasks) {
        return Collections.nCopies(maxTasks, properties);
    }

    @Override
    public void stop() {}

    @Override
    public ConfigDef config() {
        return S3SinkConfig.DEFINITION;
    }

    @Override
    public String version() {
        return VERSION;
    }
}
