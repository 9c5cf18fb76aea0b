public import Instrumentation
internal import JSON
public import MetricModel
internal import Protobuf
public import Runtime
public import Scraper
internal import Synchronization
internal import Zlib

/// Stores the metrics that programs push by OTLP. May be used from any thread.
public final class TelemetryReceiver: Sendable {
    /// The encodings of messages.
    enum Encoding {
        case protobuf
        case json
    }

    /// The result of a request.
    struct Outcome: Equatable {
        /// The HTTP status.
        var status: Int
        /// The number of data points that were not stored.
        var rejected = 0
        /// Why something was not stored; empty if everything was.
        var message = ""
    }

    /// Settings that the configuration file does not change.
    public struct Options: Sendable {
        /// Whether deltas are added up: Prometheus's feature `otlp-deltatocumulative`.
        public var accumulatesDeltas = false
        /// Whether deltas are stored as they are: Prometheus's feature `otlp-native-delta-ingestion`.
        public var storesDeltas = false
        /// The lookback of queries.
        public var lookback = Milliseconds.minutes(5)

        /// Deltas are rejected.
        public init() {}
    }

    /// The maximum size of a decompressed message.
    static let longestMessage = 64 << 20

    private let intake: SampleIntake
    private let options: Mutex<TelemetryTranslation.Options>
    private let deltas = Mutex(DeltaAccumulator())
    private let refusals: RefusalLog
    private let samples: Counter
    private let rejected: Counter
    private let droppedTargetInfos: Counter

    /// A receiver that stores samples by `intake`.
    public init(intake: SampleIntake, options: Options, registry: Registry, logger: Logger = .silent) {
        self.intake = intake
        var translation = TelemetryTranslation.Options()
        translation.lookback = options.lookback
        if options.storesDeltas { translation.deltas = .store }
        if options.accumulatesDeltas { translation.deltas = .accumulate }
        self.options = Mutex(translation)
        refusals = RefusalLog(logger.with("component", "otlp"), "OTLP data points refused")
        samples = registry.counter("tribune_otlp_samples_total", "Samples stored by OTLP.")
        rejected = registry.counter(
            "tribune_otlp_rejected_points_total",
            "Data points of OTLP that were not stored, and requests that could not be read.")
        droppedTargetInfos = registry.counter(
            "tribune_otlp_target_info_dropped_total",
            "Resources of OTLP without target_info because an attribute has no usable name.")
        let series = registry.gauge("tribune_otlp_delta_series", "Series of OTLP whose deltas are being added up.")
        registry.onSnapshot { [weak self] in series.set(Double(self?.deltas.withLock { $0.count } ?? 0)) }
    }

    /// Applies the section `otlp` of the configuration to later requests.
    public func reload(_ settings: OTLPSettings) {
        options.withLock { $0.otlp = settings }
    }

    /// Stores the valid part of `body`.
    func receive(_ body: [UInt8], _ encoding: Encoding, isCompressed: Bool, now: Timestamp) -> Outcome {
        let metrics: TelemetryMetrics
        do {
            let message = isCompressed ? try decompress(body, limit: Self.longestMessage) : body
            switch encoding {
            case .protobuf: metrics = try TelemetryMetrics(protobuf: message)
            case .json: metrics = try TelemetryMetrics(json: try JSON(parsing: message))
            }
        } catch DecompressionError.tooLarge {
            return refuse(413, "the message is longer than \(Self.longestMessage) bytes")
        } catch {
            return refuse(400, "malformed message: \(error)")
        }
        return store(metrics, now: now)
    }

    private func store(_ metrics: TelemetryMetrics, now: Timestamp) -> Outcome {
        var translation = TelemetryTranslation(options.withLock { $0 })
        if metrics.hasDeltas {
            deltas.withLock {
                $0.begin(now: now)
                translation.take(metrics, &$0)
            }
        } else {
            var unused = DeltaAccumulator()
            translation.take(metrics, &unused)
        }
        if translation.isTooLarge {
            return refuse(413, "the series have more than \(TelemetryTranslation.mostLabels) labels; send less at once")
        }
        droppedTargetInfos.add(Double(translation.droppedTargetInfos))
        let outcome = intake.store(translation.request, from: .telemetry, now: now)
        let stored = outcome.written.samples + outcome.written.histograms
        samples.add(Double(stored))
        if let refusal = outcome.refusal, refusal.status >= 500 { return refuse(refusal.status, refusal.message) }
        let count = translation.rejected + outcome.faultyPoints.count
        var reasons = translation.reasons
        if let refusal = outcome.refusal { reasons.append(refusal.message) }
        let message = reasons.joined(separator: "\n")
        rejected.add(Double(count))
        if count > 0 { refusals.add(reasons.first ?? "", count: count) }
        // Nothing was stored, so that it is not a part that failed.
        let isBad = count > 0 && stored == 0
        return Outcome(status: isBad ? 400 : 200, rejected: count, message: message)
    }

    private func refuse(_ status: Int, _ message: String) -> Outcome {
        rejected.add()
        refusals.add(message, count: 1)
        return Outcome(status: status, message: message)
    }
}

extension TelemetryMetrics {
    fileprivate var hasDeltas: Bool {
        resources.contains { $0.scopes.contains { $0.metrics.contains { $0.points.temporality == .delta } } }
    }
}
