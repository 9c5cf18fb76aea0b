internal import Instrumentation
internal import MetricModel
internal import Scraper
internal import Synchronization

/// The metrics of one receiver of samples, with the names of Prometheus. May be used from any thread.
final class SenderInstruments: Sendable {
    /// The kinds of sent data, each with its counters.
    struct Kind: Sendable {
        let sent: Counter
        let failed: Counter
        let retried: Counter
        let pending: Gauge
    }

    /// The content of a batch.
    struct Counts: Equatable, Sendable {
        var samples = 0
        var histograms = 0
        var exemplars = 0
        var metadata = 0

        /// Samples of both kinds, and exemplars.
        var total: Int { samples + histograms + exemplars }

        /// Adds others, or removes them with the sign -1.
        mutating func add(_ other: Self, sign: Int = 1) {
            samples += sign * other.samples
            histograms += sign * other.histograms
            exemplars += sign * other.exemplars
            metadata += sign * other.metadata
        }
    }

    let samples: Kind
    let histograms: Kind
    let exemplars: Kind
    let metadata: Kind
    let droppedByRules: Counter
    let droppedByAge: Counter
    let droppedExemplars: Counter
    let lostRows: Counter
    let enqueueRetries: Counter
    let bytes: Counter
    let metadataBytes: Counter
    let duration: Histogram
    let shards: Gauge
    let shardsDesired: Gauge
    let highestSent: Gauge
    private let highestRead: Gauge
    private let highestIn: Gauge
    private let pending = Mutex(Counts())
    private let newestSent = Mutex<Int64>(0)
    private let removeAll: @Sendable () -> Void

    init(_ registry: Registry, name: String, _ settings: RemoteWriteSettings) {
        let url = settings.url
        let removals = Removals()
        func counter(_ metric: String, _ help: String) -> Counter {
            removals.add { registry.remove(metric, labels: ["remote_name": name, "url": url]) }
            return registry.counter(metric, help, labels: ["remote_name": name, "url": url])
        }
        func gauge(_ metric: String, _ help: String) -> Gauge {
            removals.add { registry.remove(metric, labels: ["remote_name": name, "url": url]) }
            return registry.gauge(metric, help, labels: ["remote_name": name, "url": url])
        }
        samples = Kind(
            sent: counter("prometheus_remote_storage_samples_total", "Samples sent to remote storage."),
            failed: counter(
                "prometheus_remote_storage_samples_failed_total", "Samples that the remote storage refused."),
            retried: counter("prometheus_remote_storage_samples_retried_total", "Samples that were sent again."),
            pending: gauge("prometheus_remote_storage_samples_pending", "Samples that wait to be sent."))
        histograms = Kind(
            sent: counter("prometheus_remote_storage_histograms_total", "Native histograms sent to remote storage."),
            failed: counter(
                "prometheus_remote_storage_histograms_failed_total",
                "Native histograms that the remote storage refused."),
            retried: counter(
                "prometheus_remote_storage_histograms_retried_total", "Native histograms that were sent again."),
            pending: gauge(
                "prometheus_remote_storage_histograms_pending", "Native histograms that wait to be sent."))
        exemplars = Kind(
            sent: counter("prometheus_remote_storage_exemplars_total", "Exemplars sent to remote storage."),
            failed: counter(
                "prometheus_remote_storage_exemplars_failed_total", "Exemplars that the remote storage refused."),
            retried: counter("prometheus_remote_storage_exemplars_retried_total", "Exemplars that were sent again."),
            pending: gauge("prometheus_remote_storage_exemplars_pending", "Exemplars that wait to be sent."))
        metadata = Kind(
            sent: counter("prometheus_remote_storage_metadata_total", "Metadata entries sent to remote storage."),
            failed: counter(
                "prometheus_remote_storage_metadata_failed_total", "Metadata entries that the remote storage refused."),
            retried: counter(
                "prometheus_remote_storage_metadata_retried_total", "Metadata entries that were sent again."),
            pending: gauge("prometheus_remote_storage_metadata_pending", "Metadata entries that wait to be sent."))
        func dropped(_ metric: String, _ help: String, _ reason: String) -> Counter {
            let labels: KeyValuePairs<String, String> = ["remote_name": name, "url": url, "reason": reason]
            removals.add { registry.remove(metric, labels: labels) }
            return registry.counter(metric, help, labels: labels)
        }
        let droppedSamples = "prometheus_remote_storage_samples_dropped_total"
        let reasons = "Samples that were not sent, by reason."
        droppedByRules = dropped(droppedSamples, reasons, "dropped_series")
        droppedByAge = dropped(droppedSamples, reasons, "too_old")
        droppedExemplars = dropped(
            "prometheus_remote_storage_exemplars_dropped_total", "Exemplars that were not sent, by reason.",
            "no_sample")
        lostRows = counter(
            "tribune_remote_storage_lost_rows_total",
            "Rows of samples that were removed from the store before they were sent.")
        enqueueRetries = counter(
            "prometheus_remote_storage_enqueue_retries_total", "Times that a full queue made the reader wait.")
        bytes = counter("prometheus_remote_storage_bytes_total", "Bytes of samples sent, compressed.")
        metadataBytes = counter(
            "prometheus_remote_storage_metadata_bytes_total", "Bytes of metadata sent, compressed.")
        removals.add {
            registry.remove(
                "prometheus_remote_storage_sent_batch_duration_seconds", labels: ["remote_name": name, "url": url])
        }
        duration = registry.histogram(
            "prometheus_remote_storage_sent_batch_duration_seconds", "Time of requests to the remote storage.",
            labels: ["remote_name": name, "url": url])
        shards = gauge("prometheus_remote_storage_shards", "Concurrent senders.")
        shardsDesired = gauge(
            "prometheus_remote_storage_shards_desired", "Concurrent senders that the rate of samples needs.")
        gauge("prometheus_remote_storage_shards_max", "Maximum of concurrent senders.")
            .set(Double(settings.queue.maximumShards))
        gauge("prometheus_remote_storage_shards_min", "Minimum of concurrent senders.")
            .set(Double(settings.queue.minimumShards))
        gauge("prometheus_remote_storage_shard_capacity", "Samples in the queue of one sender.")
            .set(Double(settings.queue.capacity))
        gauge("prometheus_remote_storage_max_samples_per_send", "Maximum of samples in one request.")
            .set(Double(settings.queue.samplesPerSend))
        highestSent = gauge(
            "prometheus_remote_storage_queue_highest_sent_timestamp_seconds", "Time of the newest delivered sample.")
        highestRead = gauge(
            "prometheus_remote_storage_queue_highest_timestamp_seconds", "Time of the newest sample read for sending.")
        // Of all receivers.
        highestIn = registry.gauge(
            "prometheus_remote_storage_highest_timestamp_in_seconds", "Time of the newest sample read for any receiver."
        )
        removeAll = { removals.run() }
    }

    /// Removes the metrics of a receiver that is no longer configured.
    func remove() { removeAll() }

    /// A batch waits to be sent.
    func enqueued(_ counts: Counts) {
        change { $0.add(counts, sign: 1) }
    }

    /// A batch does not wait any more.
    func dequeued(_ counts: Counts) {
        change { $0.add(counts, sign: -1) }
    }

    private func change(_ step: (inout Counts) -> Void) {
        let now = pending.withLock { pending in
            step(&pending)
            return pending
        }
        samples.pending.set(Double(now.samples))
        histograms.pending.set(Double(now.histograms))
        exemplars.pending.set(Double(now.exemplars))
        metadata.pending.set(Double(now.metadata))
    }

    /// The fate of a batch.
    enum Event {
        case sent
        case failed
        case retried
    }

    /// Counts the content of a batch.
    func count(_ counts: Counts, _ event: Event) {
        for (kind, count) in [
            (samples, counts.samples), (histograms, counts.histograms), (exemplars, counts.exemplars),
            (metadata, counts.metadata),
        ] where count > 0 {
            switch event {
            case .sent: kind.sent.add(Double(count))
            case .failed: kind.failed.add(Double(count))
            case .retried: kind.retried.add(Double(count))
            }
        }
    }

    /// The newest sample that was read is of `time`, in milliseconds; 0 if there is none.
    func read(through time: Int64) {
        if time == 0 { return }
        highestRead.set(Double(time) / 1000)
        highestIn.set(Double(time) / 1000)
    }

    /// A sample of `time`, in milliseconds, was delivered.
    func delivered(through time: Int64) {
        let newest = newestSent.withLock { newest in
            newest = max(newest, time)
            return newest
        }
        highestSent.set(Double(newest) / 1000)
    }

    /// The time of the newest delivered sample in milliseconds; 0 if there is none.
    var deliveredThrough: Int64 { newestSent.withLock { $0 } }
}

/// Actions that remove metrics.
private final class Removals: Sendable {
    private let actions = Mutex<[@Sendable () -> Void]>([])

    func add(_ action: @escaping @Sendable () -> Void) { actions.withLock { $0.append(action) } }

    func run() { for action in actions.withLock({ $0 }) { action() } }
}
