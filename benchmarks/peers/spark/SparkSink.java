package stockmarket;

import java.util.Map;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.Trigger;

/**
 * Spark Structured Streaming from a topic to gzip-compressed lines in S3, all that there is, then it waits to be ended.
 *
 * <p>The text sink writes what a micro-batch has read exactly once for readers that follow its log,
 * {@code _spark_metadata}. It looks at no value.
 */
public final class SparkSink {
    /** Records that are written elsewhere first, so that Spark's classes are loaded and its code is compiled. */
    private static final int WARM_UP = 200_000;

    private SparkSink() {
    }

    /** Arguments: the broker's address, the topic, the path in S3, a folder for checkpoints, and S3's URL. */
    public static void main(String[] arguments) throws Exception {
        SparkSession spark = SparkSession.builder()
            .master("local[1]")
            .appName("sink")
            .config("spark.ui.enabled", false)
            .config("spark.sql.shuffle.partitions", 1)
            .config("spark.hadoop.zlib.compress.level", "BEST_SPEED")
            .config("spark.hadoop.fs.s3a.endpoint", arguments[4])
            .config("spark.hadoop.fs.s3a.endpoint.region", System.getenv("AWS_REGION"))
            .config("spark.hadoop.fs.s3a.path.style.access", true)
            .config("spark.hadoop.fs.s3a.connection.ssl.enabled", false)
            .config("spark.hadoop.fs.s3a.fast.upload.buffer", "bytebuffer")
            .config("spark.hadoop.fs.s3a.aws.credentials.provider",
                "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider")
            .getOrCreate();
        Map<String, String> source = Map.of(
            "kafka.bootstrap.servers", arguments[0],
            "subscribe", arguments[1],
            "startingOffsets", "earliest",
            "kafka.max.poll.records", "20000",
            "kafka.fetch.min.bytes", "1048576",
            "kafka.fetch.max.bytes", "52428800",
            "kafka.max.partition.fetch.bytes", "8388608",
            "kafka.receive.buffer.bytes", "1048576");
        spark.read().format("kafka").options(source).load()
            .selectExpr("CAST(value AS STRING)")
            .limit(WARM_UP)
            .write()
            .option("compression", "gzip")
            .text(arguments[2] + "-warm-up");
        System.out.println("reading");
        spark.readStream().format("kafka").options(source).load()
            .selectExpr("CAST(value AS STRING)")
            .writeStream()
            .format("text")
            .option("compression", "gzip")
            .option("path", arguments[2])
            .option("checkpointLocation", arguments[3])
            .trigger(Trigger.AvailableNow())
            .start()
            .awaitTermination();
        System.out.println("stored");
        Thread.sleep(Long.MAX_VALUE);
    }
}
