package stockmarket;

import java.io.IOException;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.BulkWriter;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.core.fs.FSDataOutputStream;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.OutputFileConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.OffsetResetStrategy;
import org.apache.kafka.common.TopicPartition;

/**
 * Flink from a topic to gzip-compressed lines in S3, all that there is, then it waits to be ended.
 *
 * <p>The file sink completes a file's upload only after the checkpoint that has the offsets of its records. It looks at
 * no value.
 */
public final class FlinkSink {
    /** A part of the topic is written elsewhere first, so that Flink's classes are loaded and its code is compiled. */
    private static final long WARM_UP_OFFSET = 25_000;

    private FlinkSink() {
    }

    /** Arguments: the broker's address, the topic, the path in S3, a folder for checkpoints, S3's URL, and the seconds between checkpoints. */
    public static void main(String[] arguments) throws Exception {
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "error");
        Configuration settings = new Configuration();
        settings.setString("s3.endpoint", arguments[4]);
        settings.setString("s3.path.style.access", "true");
        settings.setString("s3.access-key", System.getenv("AWS_ACCESS_KEY_ID"));
        settings.setString("s3.secret-key", System.getenv("AWS_SECRET_ACCESS_KEY"));
        settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, arguments[3]);
        settings.set(TaskManagerOptions.NETWORK_MEMORY_MAX, MemorySize.ofMebiBytes(64));
        FileSystem.initialize(settings, null);
        run(settings, arguments, arguments[2] + "-warm-up", new FirstOffsets(WARM_UP_OFFSET));
        Bytes.isFirst = true;
        run(settings, arguments, arguments[2], OffsetsInitializer.latest());
        System.out.println("stored");
        Thread.sleep(Long.MAX_VALUE);
    }

    private static void run(Configuration settings, String[] arguments, String path, OffsetsInitializer end) throws Exception {
        StreamExecutionEnvironment flink = StreamExecutionEnvironment.createLocalEnvironment(1, settings);
        flink.getConfig().enableObjectReuse();
        flink.enableCheckpointing(1000 * Long.parseLong(arguments[5]), CheckpointingMode.EXACTLY_ONCE);
        KafkaSource<byte[]> source = KafkaSource.<byte[]>builder()
            .setBootstrapServers(arguments[0])
            .setTopics(arguments[1])
            .setGroupId(path.substring(path.lastIndexOf('/') + 1))
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setBounded(end)
            .setValueOnlyDeserializer(new Bytes())
            .setProperty(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, "20000")
            .setProperty(ConsumerConfig.FETCH_MIN_BYTES_CONFIG, "1048576")
            .setProperty(ConsumerConfig.FETCH_MAX_BYTES_CONFIG, "52428800")
            .setProperty(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, "8388608")
            .setProperty(ConsumerConfig.RECEIVE_BUFFER_CONFIG, "1048576")
            .build();
        flink.fromSource(source, WatermarkStrategy.noWatermarks(), "topic")
            .sinkTo(FileSink.forBulkFormat(new Path(path), GzipLines::new)
                .withOutputFileConfig(OutputFileConfig.builder().withPartSuffix(".gz").build())
                .build());
        flink.execute();
    }

    /** The value as it is; says when the first one comes, for a job's start does not count. */
    private static final class Bytes implements DeserializationSchema<byte[]> {
        private static final long serialVersionUID = 1;
        private static volatile boolean isFirst;

        @Override
        public byte[] deserialize(byte[] message) {
            if (isFirst) {
                isFirst = false;
                System.out.println("reading");
            }
            return message;
        }

        @Override
        public boolean isEndOfStream(byte[] next) {
            return false;
        }

        @Override
        public TypeInformation<byte[]> getProducedType() {
            return PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO;
        }
    }

    /** The first records of each partition, this number or all that it has. */
    private static final class FirstOffsets implements OffsetsInitializer {
        private static final long serialVersionUID = 1;
        private final long count;

        FirstOffsets(long count) {
            this.count = count;
        }

        @Override
        public Map<TopicPartition, Long> getPartitionOffsets(Collection<TopicPartition> partitions, PartitionOffsetsRetriever topic) {
            Map<TopicPartition, Long> ends = new HashMap<>(topic.endOffsets(partitions));
            ends.replaceAll((partition, end) -> Math.min(end, count));
            return ends;
        }

        @Override
        public OffsetResetStrategy getAutoOffsetResetStrategy() {
            return OffsetResetStrategy.NONE;
        }
    }

    /** A line for each value, compressed at zlib's fastest level, as Flink's CompressWriterFactory does with Hadoop's codec. */
    private static final class GzipLines implements BulkWriter<byte[]> {
        private final GZIPOutputStream packed;

        GzipLines(FSDataOutputStream file) throws IOException {
            packed = new GZIPOutputStream(file, 1 << 16) {
                {
                    def.setLevel(Deflater.BEST_SPEED);
                }
            };
        }

        @Override
        public void addElement(byte[] value) throws IOException {
            packed.write(value);
            packed.write('\n');
        }

        @Override
        public void flush() throws IOException {
            packed.flush();
        }

        @Override
        public void finish() throws IOException {
            packed.finish();
        }
    }
}
