internal import CurlHTTP
public import Instrumentation
public import MetricModel
public import Rollback
public import Runtime
public import Scraper
internal import Synchronization

/// Sends a trace for each incident to a collector of OpenTelemetry.
///
/// May be called from any thread. No call waits: spans go into a bounded queue, and one thread sends them. Without
/// settings, or with a sampling fraction of 0, there is no thread and no span.
public final class TraceRunner: Sendable {
    private enum Limit {
        /// Spans that wait.
        static let spans = 8192
        /// Spans in one message.
        static let batch = 128
        /// How long spans wait for others, and how often the machine is asked.
        static let collectionNanoseconds: Int64 = 500_000_000
        static let firstPause: Int64 = 1_000_000_000
        static let longestPause: Int64 = 30_000_000_000
        /// How long one message is tried.
        static let patience: Int64 = 300_000_000_000
        /// How long the rest is sent at the stop.
        static let farewellMilliseconds: Int64 = 2000
    }

    private struct State {
        var settings: TracingSettings?
        var resource: [Span.Attribute] = []
        var spans = IncidentSpans()
        var thread: WorkerThread?
        var hasStopped = false
    }

    private let state: Mutex<State>
    private let version: String
    private let node: String
    private let queue = Mailbox<Span>(capacity: Limit.spans)
    private let client = HTTPClient()
    private let logger: Logger
    private let instruments: TraceInstruments
    /// When the rest must be sent, on the monotonic clock.
    private let stopBy = Atomic(Int64.max)
    /// Closed at the stop, which ends pauses.
    private let pauses = Mailbox<Void>(capacity: 1)

    /// A runner without settings.
    ///
    /// - Parameters:
    ///   - version: of Tribune, for the resource.
    ///   - node: the name of this process among others, for `service.instance.id`.
    public init(version: String, node: String, logger: Logger, registry: Registry) {
        self.version = version
        self.node = node
        self.logger = logger.with("component", "tracing")
        state = Mutex(State())
        instruments = TraceInstruments(registry)
        let waiting = registry.gauge("tribune_tracing_spans_waiting", "Spans that wait to be sent to the collector.")
        registry.onSnapshot { [queue] in waiting.set(Double(queue.count)) }
    }

    /// Replaces the settings; `nil` for no traces. Spans that wait are sent with the new ones.
    ///
    /// - Parameter labels: the external labels, which become attributes of the resource.
    public func reload(_ settings: TracingSettings?, labels: Labels) {
        let wanted = settings.flatMap { $0.isEnabled ? $0 : nil }
        let own: [Span.Attribute] = [
            .init("service.name", "tribune"), .init("service.version", version), .init("service.instance.id", node),
            .init("telemetry.sdk.language", "swift"), .init("telemetry.sdk.name", "tribune"),
            .init("telemetry.sdk.version", version),
        ]
        let names = Set(own.map(\.name))
        let resource =
            own + labels.pairs.filter { !names.contains($0.name) }.map { Span.Attribute($0.name, $0.value) }
        state.withLock { state in
            state.settings = wanted
            state.resource = resource
            guard wanted != nil, state.thread == nil, !state.hasStopped else { return }
            do throws(WorkerThread.StartError) {
                state.thread = try WorkerThread("traces") { [self] in run() }
            } catch {
                logger.error("no traces are sent", ["error": error.description])
            }
        }
    }

    /// The id of the trace of `incident`, in hexadecimal; `nil` if none is sent.
    public func trace(of incident: String) -> String? {
        guard let fraction = state.withLock({ $0.settings?.samplingFraction }) else { return nil }
        let trace = TraceID(incident: incident)
        return trace.isSampled(fraction) ? trace.description : nil
    }

    /// Something happened in a rollout.
    public func happened(_ event: RollbackEvent) {
        guard event.meaning != nil else { return }
        put { $0.happened(event) }
    }

    /// A receiver was asked to take a notification about `incident`. Times are nanoseconds since the epoch.
    public func notified(
        _ incident: String, receiver: String, integration: String, attempt: Int, failure: String?, from start: Int64,
        to end: Int64
    ) {
        put { _ in
            [
                IncidentSpans.notified(
                    incident, receiver, integration, attempt: attempt, failure: failure, from: start, to: end)
            ]
        }
    }

    /// Sends what waits, for at most two seconds, and ends the thread.
    public func stop() {
        let end = SystemClock.monotonicNanoseconds() + Limit.farewellMilliseconds * 1_000_000
        stopBy.store(end, ordering: .relaxed)
        queue.close()
        pauses.close()
        let thread = state.withLock { state in
            state.hasStopped = true
            return state.thread.take()
        }
        thread?.join()
    }

    private func put(_ make: (inout IncidentSpans) -> [Span]) {
        let made = state.withLock { state -> [Span] in
            guard let fraction = state.settings?.samplingFraction else { return [] }
            return make(&state.spans).filter { $0.trace.isSampled(fraction) }
        }
        for span in made where !queue.send(span) { instruments.dropped("queue", 1) }
    }

    // MARK: The thread

    private func run() {
        while true {
            let (batch, goesOn) = collect()
            if !batch.isEmpty { deliver(batch) }
            if !goesOn { return }
        }
    }

    /// The next spans. Waits for the first, and a little longer for others.
    private func collect() -> (batch: [Span], goesOn: Bool) {
        var batch: [Span] = []
        let soon = SystemClock.monotonicNanoseconds() + Limit.collectionNanoseconds
        var deadline = state.withLock { $0.spans.isWaiting } ? soon : nil
        while batch.count < Limit.batch {
            switch queue.receive(deadline: deadline) {
            case .message(let span):
                batch.append(span)
                deadline = SystemClock.monotonicNanoseconds() + Limit.collectionNanoseconds / 2
            case .timedOut:
                let wall = Instant(nanoseconds: SystemClock.wallMilliseconds() * 1_000_000)
                return (batch + sampled { $0.timePassed(at: wall) }, true)
            case .closed: return (batch + sampled { $0.stopped() }, false)
            }
        }
        return (batch, true)
    }

    private func sampled(_ make: (inout IncidentSpans) -> [Span]) -> [Span] {
        state.withLock { state in
            guard let fraction = state.settings?.samplingFraction else { return [] }
            return make(&state.spans).filter { $0.trace.isSampled(fraction) }
        }
    }

    /// Sends `spans`, again after a pause where that may help.
    private func deliver(_ spans: [Span]) {
        let start = SystemClock.monotonicNanoseconds()
        var pause = Limit.firstPause
        while true {
            guard let (settings, resource) = state.withLock({ state in state.settings.map { ($0, state.resource) } })
            else { return instruments.dropped("disabled", spans.count) }
            switch send(spans, settings, resource) {
            case .taken(let rejected, let message):
                instruments.taken(spans.count - min(rejected, spans.count))
                if rejected > 0 {
                    instruments.dropped("refused", min(rejected, spans.count))
                    instruments.failed(message.isEmpty ? "spans rejected" : message, logger)
                } else {
                    instruments.recovered(logger)
                }
                return
            case .refused(let reason):
                instruments.failed(reason, logger)
                return instruments.dropped("refused", spans.count)
            case .failed(let reason):
                instruments.failed(reason, logger)
                let isLate = SystemClock.monotonicNanoseconds() - start > Limit.patience
                let end = SystemClock.monotonicNanoseconds() + pause
                guard !isLate, !isStopping, case .timedOut = pauses.receive(deadline: end) else {
                    return instruments.dropped("unreachable", spans.count)
                }
                pause = min(pause * 2, Limit.longestPause)
            }
        }
    }

    private func send(
        _ spans: [Span], _ settings: TracingSettings, _ resource: [Span.Attribute]
    ) -> TraceMessage.Outcome {
        var settings = settings
        if isStopping {
            settings.timeout = min(settings.timeout, Milliseconds(rawValue: Limit.farewellMilliseconds))
        }
        let message = TraceMessage(
            Span.request(spans, resource: resource, version: version), settings, version: version)
        do throws(HTTPFailure) {
            let response = try client.send(message.request) { [self] in
                SystemClock.monotonicNanoseconds() >= stopBy.load(ordering: .relaxed)
            }
            return message.outcome(response)
        } catch {
            return .failed(error.message)
        }
    }

    private var isStopping: Bool { stopBy.load(ordering: .relaxed) != .max }
}

/// Metrics and log lines of the export.
private final class TraceInstruments: Sendable {
    private let registry: Registry
    private let exported: Counter
    private let failures: Counter
    /// The last failure, if the last message was not taken.
    private let lastFailure = Mutex<String?>(nil)

    init(_ registry: Registry) {
        self.registry = registry
        exported = registry.counter("tribune_tracing_spans_exported_total", "Spans that the collector has taken.")
        failures = registry.counter(
            "tribune_tracing_failed_exports_total", "Messages with spans that the collector did not take completely.")
        for reason in ["queue", "unreachable", "refused", "disabled"] { dropped(reason, 0) }
    }

    func taken(_ count: Int) { exported.add(Double(count)) }

    func dropped(_ reason: String, _ count: Int) {
        registry.counter(
            "tribune_tracing_spans_dropped_total", "Spans that were not sent, by reason.", labels: ["reason": reason]
        ).add(Double(count))
    }

    /// Logs the first of equal failures. Numbers in their texts, such as milliseconds, make no other failure.
    func failed(_ reason: String, _ logger: Logger) {
        failures.add()
        let kind = reason.filter { !$0.isNumber }
        let isNews = lastFailure.withLock { last in
            defer { last = kind }
            return last != kind
        }
        if isNews { logger.warn("traces not sent", ["error": reason]) }
    }

    func recovered(_ logger: Logger) {
        if lastFailure.withLock({ $0.take() }) != nil { logger.info("traces are sent again") }
    }
}
