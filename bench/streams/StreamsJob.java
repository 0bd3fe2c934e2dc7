import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * What `dwell clean` does at its defaults, as a Kafka Streams job: keeps the last type of each
 * device, and writes an event on when its type is another one. The values are those of dwell, byte
 * by byte; the headers (seq, rank, source) are left out, to its advantage.
 *
 * <p>Arguments: BROKERS INPUT OUTPUT APPLICATION THREADS COMMIT_MS rocksdb|memory STATE_FOLDER. Runs
 * until SIGTERM.
 */
public final class StreamsJob {
  private static final String STORE = "last";
  private static final byte[] BEFORE_TIME = bytes(
      "{\"schema\":{\"type\":\"struct\",\"name\":\"DeviceUpdate\",\"fields\":["
          + "{\"field\":\"timestamp\",\"type\":\"int64\"},{\"field\":\"device_id\",\"type\":\"string\"},"
          + "{\"field\":\"event_type\",\"type\":\"string\"}],\"optional\":false},"
          + "\"payload\":{\"timestamp\":");
  private static final byte[] BEFORE_ID = bytes(",\"device_id\":\"");
  private static final byte[] BEFORE_TYPE = bytes("\",\"event_type\":\"");
  private static final byte[] END = bytes("\"}}");
  private static final byte[] ENTER = bytes("device_enter");
  private static final byte[] EXIT = bytes("device_exit");

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** The members of one event, found without a parser, since a general one would be slower. */
  private static final class Event {
    final byte[] id;
    final byte[] type;
    final byte[] time;

    Event(byte[] json) {
      id = member(json, "device_id");
      type = member(json, "event_type");
      time = member(json, "timestamp");
    }

    private static byte[] member(byte[] json, String name) {
      final int at = find(json, name);
      if (at < 0) return null;
      int start = at;
      while (start < json.length && (json[start] == ':' || json[start] == ' ')) ++start;
      final boolean isText = start < json.length && json[start] == '"';
      if (isText) ++start;
      int end = start;
      while (end < json.length && !isEnd(json[end], isText)) ++end;
      return java.util.Arrays.copyOfRange(json, start, end);
    }

    private static boolean isEnd(byte letter, boolean isText) {
      return isText ? letter == '"' : letter < '0' || letter > '9';
    }

    /** The place after the quoted name. */
    private static int find(byte[] json, String name) {
      final int size = name.length();
      for (int i = 0; i + size + 1 < json.length; ++i) {
        if (json[i] != '"' || json[i + 1 + size] != '"') continue;
        int same = 0;
        while (same < size && json[i + 1 + same] == name.charAt(same)) ++same;
        if (same == size) return i + size + 2;
      }
      return -1;
    }

    boolean isUsable() {
      return id != null && time != null && type != null
          && (java.util.Arrays.equals(type, ENTER) || java.util.Arrays.equals(type, EXIT));
    }

    byte[] cleaned() {
      final byte[][] parts = {BEFORE_TIME, time, BEFORE_ID, id, BEFORE_TYPE, type, END};
      int size = 0;
      for (final byte[] part : parts) size += part.length;
      final byte[] value = new byte[size];
      int at = 0;
      for (final byte[] part : parts) {
        System.arraycopy(part, 0, value, at, part.length);
        at += part.length;
      }
      return value;
    }
  }

  private static final class Rule implements Processor<byte[], byte[], byte[], byte[]> {
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<Bytes, byte[]> last;

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      this.context = context;
      last = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      final Event event = new Event(record.value());
      if (!event.isUsable()) return;
      final byte kind = (byte) (event.type.length == ENTER.length ? 1 : 2);
      final Bytes device = Bytes.wrap(event.id);
      final byte[] before = last.get(device);
      if (before != null && before[0] == kind) return;
      final byte[] state = new byte[1 + event.time.length];
      state[0] = kind;
      System.arraycopy(event.time, 0, state, 1, event.time.length);
      last.put(device, state);
      context.forward(record.withKey(event.id).withValue(event.cleaned()));
    }
  }

  private static Properties properties(String[] arguments) {
    final Properties all = new Properties();
    all.put("bootstrap.servers", arguments[0]);
    all.put("application.id", arguments[3]);
    all.put("num.stream.threads", arguments[4]);
    all.put("commit.interval.ms", arguments[5]);
    all.put("state.dir", arguments[7]);
    all.put("processing.guarantee", "exactly_once_v2");
    all.put("replication.factor", "1");
    all.put("default.key.serde", Serdes.ByteArraySerde.class);
    all.put("default.value.serde", Serdes.ByteArraySerde.class);
    all.put("main.consumer.auto.offset.reset", "earliest");
    // Large batches throughout: without them it is slower.
    all.put("main.consumer.max.poll.records", "10000");
    all.put("main.consumer.max.partition.fetch.bytes", "4194304");
    all.put("buffered.records.per.partition", "100000");
    all.put("consumer.check.crcs", "false");
    all.put("producer.compression.type", "lz4");
    all.put("producer.batch.size", "262144");
    all.put("producer.linger.ms", "5");
    all.put("producer.buffer.memory", "134217728");
    return all;
  }

  public static void main(String[] arguments) throws InterruptedException {
    final boolean isInMemory = arguments[6].equals("memory");
    final StoreBuilder<KeyValueStore<Bytes, byte[]>> store = Stores.keyValueStoreBuilder(
        isInMemory ? Stores.inMemoryKeyValueStore(STORE) : Stores.persistentKeyValueStore(STORE),
        Serdes.Bytes(), Serdes.ByteArray());
    final StreamsBuilder builder = new StreamsBuilder();
    builder.addStateStore(store);
    builder.<byte[], byte[]>stream(arguments[1]).process(Rule::new, STORE).to(arguments[2]);
    final Properties properties = properties(arguments);
    final KafkaStreams streams = new KafkaStreams(builder.build(properties), properties);
    streams.setUncaughtExceptionHandler(error -> {
      error.printStackTrace();
      return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    streams.setStateListener((now, before) -> {
      if (now == KafkaStreams.State.ERROR) Runtime.getRuntime().halt(1);
    });
    Runtime.getRuntime().addShutdownHook(
        new Thread(() -> streams.close(Duration.ofSeconds(20))));
    streams.start();
    Thread.currentThread().join();
  }
}
