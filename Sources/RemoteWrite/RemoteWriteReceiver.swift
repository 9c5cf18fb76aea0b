public import Instrumentation
public import MetricModel
public import MetricStore
public import Runtime
internal import Snappy

/// Stores the samples that other servers send by remote write. May be used from any thread. Requests are stored one
/// after the other.
public final class RemoteWriteReceiver: Sendable {
    /// The maximum size of a decoded message, as in Prometheus.
    private static let longestMessage = 32 << 20

    private let intake: SampleIntake
    private let refusals: RefusalLog
    private let samples: Counter
    private let exemplars: Counter
    private let refused: Counter

    /// A receiver that stores samples by `intake`.
    public init(intake: SampleIntake, registry: Registry, logger: Logger = .silent) {
        self.intake = intake
        refusals = RefusalLog(logger.with("component", "remote_write"), "remote write samples refused")
        samples = registry.counter(
            "tribune_remote_write_samples_total", "Samples stored by remote write.")
        exemplars = registry.counter(
            "tribune_remote_write_exemplars_total", "Exemplars stored by remote write.")
        refused = registry.counter(
            "tribune_remote_write_refused_total",
            "Samples and series of remote write that were not stored.")
    }

    /// A receiver that alone stores samples into `store`.
    ///
    /// - Parameter zeroesStarts: whether series start with a zero at their start timestamp.
    public convenience init(
        store: MetricStore, registry: Registry, zeroesStarts: Bool = false, logger: Logger = .silent
    ) {
        self.init(
            intake: SampleIntake(store: store, registry: registry, zeroesStarts: zeroesStarts), registry: registry,
            logger: logger)
    }

    /// The number of series with a slot, and the number of their lanes.
    var placeCount: Int { intake.placeCount }
    var laneCount: Int { intake.laneCount }

    /// Metadata from senders, in any order.
    public var families: [MetricMetadata] { intake.families }

    /// Stores the valid part of `body`. The refusal lists the invalid part.
    func receive(
        _ body: [UInt8], _ version: WriteRequest.Version = .one, now: Timestamp
    ) -> (written: SampleIntake.Written, refusal: SampleIntake.Refusal?) {
        let message: WriteRequest
        do {
            message = try WriteRequest(try Snappy.uncompress(body, limit: Self.longestMessage), version: version)
        } catch let fault as Snappy.Fault {
            return refuse(fault.description)
        } catch {
            return refuse("malformed protobuf message: \(error)")
        }
        let outcome = intake.store(message, from: version == .one ? .first : .second, now: now)
        samples.add(Double(outcome.written.samples + outcome.written.histograms))
        exemplars.add(Double(outcome.written.exemplars))
        refused.add(Double(outcome.faultCount))
        if let fault = outcome.firstFault { refusals.add(fault, count: outcome.faultCount) }
        return (outcome.written, outcome.refusal)
    }

    /// Stores the valid part of `body`, a message of version 2 or 1.
    ///
    /// - Returns: the number of stored samples.
    package func receive(_ body: [UInt8], isSecondVersion: Bool, now: Timestamp) -> Int {
        let written = receive(body, isSecondVersion ? .two : .one, now: now).written
        return written.samples + written.histograms
    }

    private func refuse(_ message: String) -> (written: SampleIntake.Written, refusal: SampleIntake.Refusal?) {
        refused.add()
        refusals.add(message, count: 1)
        return (SampleIntake.Written(), SampleIntake.Refusal(status: 400, message: message))
    }
}
