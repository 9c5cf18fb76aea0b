internal import Instrumentation
internal import MetricModel
internal import MetricStore
internal import Scraper
internal import Snappy
internal import Synchronization

/// Takes the samples that other servers send to `/api/v1/write`. Any thread may use it; requests take turns.
final class RemoteWriteReceiver: Sendable {
    /// Why a request was not taken whole, with the HTTP status that says so.
    struct Refusal: Error, Equatable {
        var status: Int
        var message: String
    }

    /// What of a request was taken.
    struct Written: Equatable {
        var samples = 0
        var histograms = 0
        var exemplars = 0
    }

    /// Longest decoded message, as in Prometheus.
    private static let longestMessage = 32 << 20

    private let store: MetricStore
    private let lanes: Mutex<RemoteWriteLanes>
    private let metadata = Mutex(RemoteWriteMetadata())
    private let zeroesStarts: Bool
    private let samples: Counter
    private let exemplars: Counter
    private let refused: Counter
    private let metadataRefused: Counter

    /// - Parameter zeroesStarts: Whether series begin with a zero at the time since when they count.
    init(store: MetricStore, registry: Registry, zeroesStarts: Bool = false) {
        self.store = store
        self.zeroesStarts = zeroesStarts
        lanes = Mutex(RemoteWriteLanes(store))
        samples = registry.counter(
            "tribune_remote_write_samples_total", "Samples taken in from other servers by remote write.")
        exemplars = registry.counter(
            "tribune_remote_write_exemplars_total", "Exemplars taken in from other servers by remote write.")
        refused = registry.counter(
            "tribune_remote_write_refused_total",
            "Samples and series that other servers sent and that were not stored.")
        metadataRefused = registry.counter(
            "tribune_remote_write_metadata_refused_total",
            "Metadata of metric families that other servers sent and that there was no room for.")
        let open = registry.gauge("tribune_remote_write_lanes", "Writers kept for other servers' targets.")
        registry.onSnapshot { [weak self] in open.set(Double(self?.laneCount ?? 0)) }
    }

    /// How many series have a slot, and how many lanes they are in.
    var placeCount: Int { lanes.withLock { $0.placeCount } }
    var laneCount: Int { lanes.withLock { $0.laneCount } }

    /// What senders have said of metric families, in no order.
    var families: [MetricMetadata] { metadata.withLock { $0.families } }

    /// Stores what `body` holds. Of version 1 all or nothing; of version 2 what is right, and the refusal tells of the
    /// rest.
    func receive(
        _ body: [UInt8], _ version: WriteRequest.Version = .one, now: Timestamp
    ) -> (written: Written, refusal: Refusal?) {
        let message: WriteRequest
        do {
            message = try WriteRequest(try Snappy.uncompress(body, limit: Self.longestMessage), version: version)
        } catch let fault as Snappy.Fault {
            return (Written(), Refusal(status: 400, message: fault.description))
        } catch {
            return (Written(), Refusal(status: 400, message: "malformed protobuf message: \(error)"))
        }
        var taking = RemoteWriteTaking(message, version, now: now, zeroesStarts: zeroesStarts)
        do throws(Refusal) {
            try lanes.withLock { lanes throws(Refusal) in
                lanes.sweep(now: now)
                try taking.take(into: &lanes)
            }
            taking.takeExemplars(into: store)
        } catch {
            refused.add()
            return (Written(), error)
        }
        let unknown = metadata.withLock { $0.take(message, now: now) }
        if unknown > 0 { metadataRefused.add(Double(unknown)) }
        let written = taking.written
        samples.add(Double(written.samples + written.histograms))
        exemplars.add(Double(written.exemplars))
        refused.add(Double(taking.faultCount))
        return (written, taking.refusal)
    }
}
