import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Keeps the highest revision of each card of a topic in a state store of Kafka Streams.
 *
 * <p>{@code java KafkaStreamsCards SERVERS TOPIC EVENTS WARM_UP_EVENTS STATE_DIR THREADS COMMIT_MS CACHE_BYTES}
 * says {@code ready}; each line of standard input names an application that then reads the topic from its beginning.
 * It says {@code warm} and {@code read} when it has handled so many events, and {@code closed} after the next line.
 */
public final class KafkaStreamsCards {
    /** What a card event is bound to: the whole of it, and nothing that it may not hold. */
    record Holder(String name, String birth, String sex) {}

    record Address(String level, String code, String recorded_on, String detail) {}

    record Place(String code, String recorded_on) {}

    record Ended(String on, String reason) {}

    record Period(
            String valid_from, String valid_to, String number, String group, Integer benefit_level, String area,
            String issuer, Place registered_place, String five_years_on, Ended ended) {}

    record Card(
            String id, int revision, Holder holder, List<String> citizen_ids, Address address, List<Period> periods,
            Ended withdrawn) {}

    record Event(
            String specversion, String id, String type, String source, String subject, String time, String dataschema,
            Card data) {}

    private static final ObjectReader EVENTS = new ObjectMapper().readerFor(Event.class);
    private static final String STORE = "cards";

    /** Puts an event into the store, its revision before it, unless what is there is as high. */
    static final class Highest implements Processor<String, byte[], Void, Void> {
        private final AtomicInteger handled;
        private final int warmUp;
        private final int events;
        private ProcessorContext<Void, Void> context;
        private KeyValueStore<String, byte[]> cards;

        Highest(AtomicInteger handled, int warmUp, int events) {
            this.handled = handled;
            this.warmUp = warmUp;
            this.events = events;
        }

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            this.context = context;
            this.cards = context.getStateStore(STORE);
        }

        @Override
        public void process(Record<String, byte[]> record) {
            byte[] value = record.value();
            int revision = revision(value);
            byte[] held = cards.get(record.key());
            if (held == null || ByteBuffer.wrap(held).getInt() < revision) {
                cards.put(record.key(), ByteBuffer.allocate(4 + value.length).putInt(revision).put(value).array());
            }
            int count = handled.incrementAndGet();
            if (count == warmUp) {
                say("warm");
            } else if (count == events) {
                // The commit interval must not be part of what is measured.
                context.commit();
                say("read");
            }
        }

        private static int revision(byte[] value) {
            try {
                return EVENTS.<Event>readValue(value).data().revision();
            } catch (IOException fault) {
                throw new UncheckedIOException(fault);
            }
        }
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static Topology topology(String topic, int warmUp, int events) {
        AtomicInteger handled = new AtomicInteger();
        Topology topology = new Topology();
        topology.addSource("events", new StringDeserializer(), new ByteArrayDeserializer(), topic);
        topology.addProcessor("highest", () -> new Highest(handled, warmUp, events), "events");
        topology.addStateStore(
                Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), Serdes.String(), Serdes.ByteArray())
                        .withLoggingEnabled(Map.of())
                        .withCachingEnabled(),
                "highest");
        return topology;
    }

    private static Properties settings(String application, String[] given) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, given[0]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, Path.of(given[4]).toString());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Integer.parseInt(given[5]));
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, Long.parseLong(given[6]));
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, Long.parseLong(given[7]));
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.ACKS_CONFIG), "all");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        return settings;
    }

    public static void main(String[] given) throws IOException {
        BufferedReader told = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        say("ready");
        for (String application = told.readLine(); application != null; application = told.readLine()) {
            KafkaStreams streams = new KafkaStreams(
                    topology(given[1], Integer.parseInt(given[3]), Integer.parseInt(given[2])),
                    settings(application, given));
            streams.start();
            told.readLine();
            streams.close();
            streams.cleanUp();
            say("closed");
        }
    }
}
