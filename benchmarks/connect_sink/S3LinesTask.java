package stockmarket;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.services.s3.S3Client;

/** One growing object per partition; it goes to S3 when it is full and at every flush of Connect's offsets. */
public final class S3LinesTask extends SinkTask {
    private final Map<Integer, Growing> growing = new HashMap<>();
    private S3Client s3;
    private String bucket;
    private String prefix;
    private int level;
    private long full;

    /** An object that has not been written yet. */
    private static final class Growing extends GZIPOutputStream {
        private static final int STAGED = 64 << 10;
        private final String key;
        private final byte[] staged = new byte[STAGED];
        private int used;
        private long plain;

        Growing(String key, int level) throws IOException {
            super(new ByteArrayOutputStream(1 << 20), STAGED);
            this.key = key;
            def.setLevel(level);
        }

        void line(byte[] value) throws IOException {
            if (used + value.length + 1 > STAGED) {
                write(staged, 0, used);
                used = 0;
            }
            if (value.length >= STAGED) {
                write(value, 0, value.length);
            } else {
                System.arraycopy(value, 0, staged, used, value.length);
                used += value.length;
            }
            staged[used++] = '\n';
            plain += value.length + 1;
        }

        byte[] end() throws IOException {
            write(staged, 0, used);
            close();
            def.end();
            return ((ByteArrayOutputStream) out).toByteArray();
        }
    }

    @Override
    public void start(Map<String, String> given) {
        AbstractConfig settings = new AbstractConfig(S3LinesSink.CONFIG, given);
        bucket = settings.getString("s3.bucket");
        prefix = settings.getString("s3.prefix");
        level = settings.getInt("gzip.level");
        full = settings.getLong("object.bytes");
        s3 = S3Client.builder()
            .endpointOverride(URI.create(settings.getString("s3.endpoint")))
            .forcePathStyle(true)
            .httpClient(UrlConnectionHttpClient.create())
            .build();
    }

    @Override
    public void put(Collection<SinkRecord> records) {
        try {
            for (SinkRecord record : records) {
                Growing object = growing.get(record.kafkaPartition());
                if (object == null) {
                    String key = String.format("%s%s-%d-%020d.gz", prefix, record.topic(), record.kafkaPartition(),
                        record.kafkaOffset());
                    object = new Growing(key, level);
                    growing.put(record.kafkaPartition(), object);
                }
                object.line((byte[]) record.value());
                if (object.plain >= full) {
                    upload(growing.remove(record.kafkaPartition()));
                }
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    @Override
    public void flush(Map<TopicPartition, OffsetAndMetadata> offsets) {
        try {
            for (Growing object : growing.values()) {
                upload(object);
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        growing.clear();
    }

    private void upload(Growing object) throws IOException {
        byte[] body = object.end();
        s3.putObject(request -> request.bucket(bucket).key(object.key), RequestBody.fromBytes(body));
    }

    @Override
    public void stop() {
        if (s3 != null) {
            s3.close();
        }
    }

    @Override
    public String version() {
        return "1";
    }
}
