public import Instrumentation
public import MetricModel
public import MetricStore
internal import Runtime
internal import Synchronization

/// Stores the samples of other programs, whatever their protocol is. May be used from any thread. Requests are stored
/// one after the other.
///
/// Receivers of several protocols share one, because a series has one place in the store.
public final class SampleIntake: Sendable {
    /// Who sent a request, which decides what is an error.
    enum Source {
        /// Remote write 1. Invalid labels are not reported.
        case first
        /// Remote write 2. Everything is reported.
        case second
        /// OTLP. Exemplars are not reported.
        case telemetry
    }

    /// Why a part of a request was not stored, with the HTTP status of the response.
    struct Refusal: Error, Equatable {
        var status: Int
        var message: String
    }

    /// The stored part of a request.
    struct Written: Equatable {
        var samples = 0
        var histograms = 0
        var exemplars = 0
    }

    /// The result of a request.
    struct Outcome {
        var written = Written()
        /// The part that was not stored, for the response.
        var refusal: Refusal?
        var faultCount = 0
        /// The first error, for the log.
        var firstFault: String?
        /// The numbers of data points of which something was not stored.
        var faultyPoints: Set<Int> = []
    }

    private let store: MetricStore
    private let lanes: Mutex<RemoteWriteLanes>
    private let metadata = Mutex(RemoteWriteMetadata())
    private let requests = Atomic<UInt64>(0)
    private let zeroesStarts: Bool
    private let metadataRefused: Counter

    /// - Parameter zeroesStarts: whether series start with a zero at their start timestamp.
    public init(store: MetricStore, registry: Registry, zeroesStarts: Bool = false) {
        self.store = store
        self.zeroesStarts = zeroesStarts
        lanes = Mutex(RemoteWriteLanes(store))
        metadataRefused = registry.counter(
            "tribune_remote_write_metadata_refused_total",
            "Metadata of metric families of remote write that was dropped because of the limit.")
        let open = registry.gauge("tribune_remote_write_lanes", "Lanes of targets of remote write.")
        registry.onSnapshot { [weak self] in open.set(Double(self?.laneCount ?? 0)) }
    }

    /// The number of series with a slot, and the number of their lanes.
    var placeCount: Int { lanes.withLock { $0.placeCount } }
    var laneCount: Int { lanes.withLock { $0.laneCount } }

    /// Metadata from senders, in any order.
    public var families: [MetricMetadata] { metadata.withLock { $0.families } }

    /// Stores the valid part of `message`.
    func store(_ message: WriteRequest, from source: Source, now: Timestamp) -> Outcome {
        var storing = RemoteWriteStoring(
            message, number: requests.add(1, ordering: .relaxed).newValue, source, now: now, zeroesStarts: zeroesStarts,
            takesOutOfOrder: store.takesOutOfOrder)
        do throws(Refusal) {
            try lanes.withLock { lanes throws(Refusal) in
                lanes.sweep(now: now)
                try storing.take(into: &lanes)
            }
            storing.takeExemplars(into: store)
        } catch {
            return Outcome(refusal: error, faultCount: 1, firstFault: error.message)
        }
        let unknown = metadata.withLock { $0.take(message, now: now) }
        if unknown > 0 { metadataRefused.add(Double(unknown)) }
        return Outcome(
            written: storing.written, refusal: storing.refusal, faultCount: storing.faultCount,
            firstFault: storing.firstFault, faultyPoints: storing.faultyPoints)
    }
}

/// Log lines about requests that were refused. May be used from any thread.
final class RefusalLog: Sendable {
    /// Refusals since the last log line.
    private struct Unlogged {
        var count = 0
        var nextLine = Int64.min
    }

    /// A sender repeats its errors with every request: one line in this time is enough.
    private static let periodNanoseconds: Int64 = 10_000_000_000

    private let logger: Logger
    private let message: String
    private let unlogged = Mutex(Unlogged())

    init(_ logger: Logger, _ message: String) {
        self.logger = logger
        self.message = message
    }

    func add(_ reason: String, count: Int) {
        let now = SystemClock.monotonicNanoseconds()
        let total: Int? = unlogged.withLock { unlogged in
            unlogged.count += count
            guard now >= unlogged.nextLine else { return nil }
            defer { unlogged = Unlogged(count: 0, nextLine: now + Self.periodNanoseconds) }
            return unlogged.count
        }
        if let total { logger.warn(message, ["count": total, "reason": reason]) }
    }
}
