public import Instrumentation
public import MetricModel
public import MetricStore
public import Runtime
internal import Snappy
internal import Synchronization

/// Stores the samples that other servers send by remote write. May be used from any thread. Requests are stored one
/// after the other.
public final class RemoteWriteReceiver: Sendable {
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

    /// The maximum size of a decoded message, as in Prometheus.
    private static let longestMessage = 32 << 20

    private let store: MetricStore
    private let lanes: Mutex<RemoteWriteLanes>
    private let metadata = Mutex(RemoteWriteMetadata())
    private let zeroesStarts: Bool
    private let logger: Logger
    private let unlogged = Mutex(Unlogged())
    private let samples: Counter
    private let exemplars: Counter
    private let refused: Counter
    private let metadataRefused: Counter

    /// - Parameter zeroesStarts: whether series start with a zero at their start timestamp.
    public init(store: MetricStore, registry: Registry, zeroesStarts: Bool = false, logger: Logger = .silent) {
        self.store = store
        self.zeroesStarts = zeroesStarts
        self.logger = logger.with("component", "remote_write")
        lanes = Mutex(RemoteWriteLanes(store))
        samples = registry.counter(
            "tribune_remote_write_samples_total", "Samples stored by remote write.")
        exemplars = registry.counter(
            "tribune_remote_write_exemplars_total", "Exemplars stored by remote write.")
        refused = registry.counter(
            "tribune_remote_write_refused_total",
            "Samples and series of remote write that were not stored.")
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

    /// Stores the valid part of `body`. The refusal lists the invalid part.
    func receive(
        _ body: [UInt8], _ version: WriteRequest.Version = .one, now: Timestamp
    ) -> (written: Written, refusal: Refusal?) {
        let message: WriteRequest
        do {
            message = try WriteRequest(try Snappy.uncompress(body, limit: Self.longestMessage), version: version)
        } catch let fault as Snappy.Fault {
            return refuse(fault.description)
        } catch {
            return refuse("malformed protobuf message: \(error)")
        }
        var storing = RemoteWriteStoring(message, version, now: now, zeroesStarts: zeroesStarts)
        do throws(Refusal) {
            try lanes.withLock { lanes throws(Refusal) in
                lanes.sweep(now: now)
                try storing.take(into: &lanes)
            }
            storing.takeExemplars(into: store)
        } catch {
            refused.add()
            log(error.message, count: 1)
            return (Written(), error)
        }
        let unknown = metadata.withLock { $0.take(message, now: now) }
        if unknown > 0 { metadataRefused.add(Double(unknown)) }
        let written = storing.written
        samples.add(Double(written.samples + written.histograms))
        exemplars.add(Double(written.exemplars))
        refused.add(Double(storing.faultCount))
        if let fault = storing.firstFault { log(fault, count: storing.faultCount) }
        return (written, storing.refusal)
    }

    private func refuse(_ message: String) -> (written: Written, refusal: Refusal?) {
        refused.add()
        log(message, count: 1)
        return (Written(), Refusal(status: 400, message: message))
    }

    /// Refusals since the last log line.
    private struct Unlogged {
        var count = 0
        var nextLine = Int64.min
    }

    /// A sender repeats its errors with every request: one line in this time is enough.
    private static let logPeriodNanoseconds: Int64 = 10_000_000_000

    private func log(_ reason: String, count: Int) {
        let now = SystemClock.monotonicNanoseconds()
        let total: Int? = unlogged.withLock { unlogged in
            unlogged.count += count
            guard now >= unlogged.nextLine else { return nil }
            defer { unlogged = Unlogged(count: 0, nextLine: now + Self.logPeriodNanoseconds) }
            return unlogged.count
        }
        if let total { logger.warn("remote write samples refused", ["count": total, "reason": reason]) }
    }
}
