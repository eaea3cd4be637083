package stockmarket;

import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.sink.SinkConnector;

/**
 * Writes the values of a topic to S3 as gzip-compressed lines: the connector of {@link S3LinesTask}.
 *
 * <p>It stands in for the S3 sinks of Aiven and Camel and does strictly less than they do: no choice of fields, no
 * grouping, no templates of names, no multipart upload, no look at a value. So it is an upper bound on their speed.
 */
public final class S3LinesSink extends SinkConnector {
    static final ConfigDef CONFIG = new ConfigDef()
        .define("s3.endpoint", ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "URL of S3; buckets are in the path")
        .define("s3.bucket", ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "bucket, which exists")
        .define("s3.prefix", ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "what every key starts with")
        .define("gzip.level", ConfigDef.Type.INT, 1, ConfigDef.Importance.LOW, "1, fast, to 9, small")
        .define("object.bytes", ConfigDef.Type.LONG, 64L << 20, ConfigDef.Importance.LOW,
            "uncompressed size in bytes at which an object is full");

    private Map<String, String> settings;

    @Override
    public void start(Map<String, String> given) {
        settings = given;
    }

    @Override
    public Class<? extends Task> taskClass() {
        return S3LinesTask.class;
    }

    @Override
    public List<Map<String, String>> taskConfigs(int maxTasks) {
        return List.of(settings);
    }

    @Override
    public void stop() {
    }

    @Override
    public ConfigDef config() {
        return CONFIG;
    }

    @Override
    public String version() {
        return "1";
    }
}
