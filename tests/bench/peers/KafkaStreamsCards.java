import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * Keeps the highest revision of each card of a topic in a state store of Kafka Streams.
 *
 * <p>{@code java KafkaStreamsCards SERVERS TOPIC EVENTS WARM_UP_EVENTS STATE_DIR THREADS COMMIT_MS CACHE_BYTES
 * CITIZEN_IDS} says {@code ready}; each line of standard input names an application that then reads the topic from its
 * beginning. It says {@code warm} and {@code read} when it has handled so many events, and {@code closed} after the
 * next line. With a number of citizen IDs that is not 0 it does the whole of our projector's job: it sums the SHA-256
 * of the canonical JSON of what it keeps, and indexes cards by citizen ID, {@code read} being said after that many.
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
            @JsonInclude(JsonInclude.Include.NON_NULL) Ended withdrawn) {}

    record Event(
            String specversion, String id, String type, String source, String subject, String time, String dataschema,
            Card data) {}

    record Fact(Card data, String type) {}

    private static final ObjectMapper MAPPER = JsonMapper.builder()
            .enable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
            .disable(MapperFeature.SORT_CREATOR_PROPERTIES_FIRST)
            .build();
    private static final ObjectReader EVENTS = MAPPER.readerFor(Event.class);
    private static final ObjectWriter FACTS = MAPPER.writerFor(Fact.class);
    private static final String STORE = "cards";
    private static final String INDEX = "citizens";
    /** Where the sum of a partition stands in its store: no card has this number. */
    private static final String SUM = "sum";
    private static final int DIGEST_BYTES = 32;

    /** What one application is to do, and how far it is. */
    record Job(AtomicInteger handled, int warmUp, int events, AtomicInteger indexed, int citizenIds) {
        boolean whole() {
            return citizenIds > 0;
        }

        void handled(ProcessorContext<?, ?> context) {
            int count = handled.incrementAndGet();
            if (count == warmUp) {
                say("warm");
            } else if (count == events && !whole()) {
                done(context);
            }
        }

        void indexed(ProcessorContext<?, ?> context) {
            if (indexed.incrementAndGet() == citizenIds) {
                done(context);
            }
        }

        private static void done(ProcessorContext<?, ?> context) {
            // The commit interval must not be part of what is measured.
            context.commit();
            say("read");
        }
    }

    /** Puts an event into the store, its revision before it, unless what is there is as high. */
    static final class Highest implements Processor<String, byte[], String, String> {
        private final Job job;
        private ProcessorContext<String, String> context;
        private KeyValueStore<String, byte[]> cards;

        Highest(Job job) {
            this.job = job;
        }

        @Override
        public void init(ProcessorContext<String, String> context) {
            this.context = context;
            this.cards = context.getStateStore(STORE);
        }

        @Override
        public void process(Record<String, byte[]> record) {
            Event event = read(record.value());
            if (job.whole()) {
                keepWithDigest(record, event);
                for (String citizenId : event.data().citizen_ids()) {
                    context.forward(new Record<>(citizenId, record.key(), record.timestamp()));
                }
            } else {
                keep(record, event.data().revision());
            }
            job.handled(context);
        }

        private void keep(Record<String, byte[]> record, int revision) {
            byte[] held = cards.get(record.key());
            if (held == null || ByteBuffer.wrap(held).getInt() < revision) {
                byte[] value = record.value();
                cards.put(record.key(), ByteBuffer.allocate(4 + value.length).putInt(revision).put(value).array());
            }
        }

        private void keepWithDigest(Record<String, byte[]> record, Event event) {
            byte[] value = record.value();
            byte[] digest = digest(event);
            int revision = event.data().revision();
            byte[] held = cards.get(record.key());
            if (held != null && ByteBuffer.wrap(held, DIGEST_BYTES, 4).getInt() >= revision) {
                return;
            }
            byte[] before = cards.get(SUM);
            BigInteger sum = before == null ? BigInteger.ZERO : new BigInteger(1, before);
            sum = sum.add(new BigInteger(1, digest));
            if (held != null) {
                sum = sum.subtract(new BigInteger(1, held, 0, DIGEST_BYTES));
            }
            cards.put(SUM, sum.toByteArray());
            ByteBuffer kept = ByteBuffer.allocate(DIGEST_BYTES + 4 + value.length);
            cards.put(record.key(), kept.put(digest).putInt(revision).put(value).array());
        }

        private static byte[] digest(Event event) {
            try {
                byte[] canonical = FACTS.writeValueAsBytes(new Fact(event.data(), event.type()));
                return MessageDigest.getInstance("SHA-256").digest(canonical);
            } catch (IOException | NoSuchAlgorithmException fault) {
                throw new IllegalStateException(fault);
            }
        }

        private static Event read(byte[] value) {
            try {
                return EVENTS.readValue(value);
            } catch (IOException fault) {
                throw new UncheckedIOException(fault);
            }
        }
    }

    /** Adds a card's number to those of its citizen ID. */
    static final class Index implements Processor<String, String, Void, Void> {
        private final Job job;
        private ProcessorContext<Void, Void> context;
        private KeyValueStore<String, String> citizens;

        Index(Job job) {
            this.job = job;
        }

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            this.context = context;
            this.citizens = context.getStateStore(INDEX);
        }

        @Override
        public void process(Record<String, String> record) {
            String numbers = citizens.get(record.key());
            if (numbers == null) {
                citizens.put(record.key(), record.value());
            } else if (!numbers.contains(record.value())) {
                citizens.put(record.key(), numbers + "," + record.value());
            }
            job.indexed(context);
        }
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static <V> StoreBuilder<KeyValueStore<String, V>> store(String name, Serde<V> values) {
        return Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(name), Serdes.String(), values)
                .withLoggingEnabled(Map.of())
                .withCachingEnabled();
    }

    private static Topology topology(String topic, Job job) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(store(STORE, Serdes.ByteArray()));
        KStream<String, String> citizens = builder.stream(topic, Consumed.with(Serdes.String(), Serdes.ByteArray()))
                .process(() -> new Highest(job), STORE);
        if (job.whole()) {
            builder.addStateStore(store(INDEX, Serdes.String()));
            citizens.repartition(Repartitioned.with(Serdes.String(), Serdes.String()).withName(INDEX))
                    .process(() -> new Index(job), INDEX);
        }
        return builder.build();
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
        int events = Integer.parseInt(given[2]);
        int warmUp = Integer.parseInt(given[3]);
        int citizenIds = Integer.parseInt(given[8]);
        say("ready");
        for (String application = told.readLine(); application != null; application = told.readLine()) {
            Job job = new Job(new AtomicInteger(), warmUp, events, new AtomicInteger(), citizenIds);
            KafkaStreams streams = new KafkaStreams(topology(given[1], job), settings(application, given));
            streams.start();
            told.readLine();
            streams.close();
            streams.cleanUp();
            say("closed");
        }
    }
}
