internal import Glibc
public import Instrumentation
public import Runtime
internal import Synchronization
internal import TLS

/// Runs the history: accepts events and measurements from any thread, spools them durably, and delivers them to the
/// database.
///
/// Callers never block on the database: one thread syncs the spool, one writes to the database, one reads from it, one
/// verifies it. Without the database, also at the start, everything continues, and ``HistoryStatus/isBehind`` is set.
public final class HistoryRunner: Sendable {
    let configuration: HistoryConfiguration
    /// Whether an evidence pack is being made.
    let isPacking = Atomic<Bool>(false)
    let spool: Spool
    private let writer: HistoryWriter
    let reader: HistoryReader
    private let selfCheck: SelfCheck
    private let publisher: CheckpointPublisher
    private let streams: [SyslogStream]
    private let metrics: HistoryMetrics

    /// Opens spool and signing key and starts the threads. Does not wait for the database.
    public convenience init(
        _ configuration: HistoryConfiguration, logger: Logger, registry: Registry
    ) throws(HistoryError) {
        try self.init(
            configuration, logger: logger, registry: registry, retryNanoseconds: 250_000_000,
            openStore: { () throws(HistoryError) in try configuration.openStore() })
    }

    /// With another database and another first pause after a failure, for tests.
    init(
        _ configuration: HistoryConfiguration, logger: Logger, registry: Registry, retryNanoseconds: Int64,
        openStore: @escaping @Sendable () throws(HistoryError) -> LedgerStore
    ) throws(HistoryError) {
        try configuration.check()
        let logger = logger.with("component", "history")
        guard unsafe mkdir(configuration.directory, 0o700) == 0 || errno == EEXIST else {
            throw .file("create the directory", configuration.directory)
        }
        let memory = NodeMemory(directory: configuration.directory)
        if memory.isFresh { _ = try SigningKeyFile.create(memory.keyPath) }
        let directory = try SpoolDirectory(path: configuration.spoolPath)
        let metrics = HistoryMetrics(registry)
        let wake = Mailbox<Void>(capacity: 1)
        let spool = try Spool(
            directory: directory, segmentBytes: configuration.segmentBytes, logger: logger,
            onDurable: { wake.send(()) })
        var stopping: [() -> Void] = [{ spool.close() }]
        self.configuration = configuration
        self.spool = spool
        self.metrics = metrics
        do throws(WorkerThread.StartError) {
            let writer = try HistoryWriter(
                configuration, spool: spool, wake: wake, logger: logger, metrics: metrics,
                retryNanoseconds: retryNanoseconds, openStore: openStore)
            self.writer = writer
            stopping.append { writer.stop() }
            let reader = try HistoryReader(configuration)
            self.reader = reader
            stopping.append { reader.stop() }
            let selfCheck = try SelfCheck(configuration, logger: logger, metrics: metrics)
            self.selfCheck = selfCheck
            stopping.append { selfCheck.stop() }
            let publisher = try CheckpointPublisher(
                configuration.publication, memory: memory, logger: logger, registry: registry)
            self.publisher = publisher
            stopping.append { publisher.stop() }
            var streams: [SyslogStream] = []
            for destination in configuration.syslog {
                let stream = try SyslogStream(
                    destination, configuration, logger: logger, registry: registry, isOurTurn: { writer.isOurTurn })
                streams.append(stream)
                stopping.append { stream.stop() }
            }
            self.streams = streams
            writer.followers.withLock { [streams] in $0 = streams }
        } catch {
            for stop in stopping { stop() }
            directory.unlock()
            throw HistoryError(error)
        }
        for range in spool.lost {
            logger.error("records of the spool were damaged", ["first": range.lowerBound, "last": range.upperBound])
        }
        registry.onSnapshot { [writer, selfCheck] in metrics.set(writer.status, selfCheck.status) }
    }

    /// Accepts an event. Does not block; the event is durable a few milliseconds later.
    ///
    /// - Returns: false only after ``stop()``.
    @discardableResult
    public func record(_ event: LedgerEvent) -> Bool {
        let payload = SpoolPayload(event: PendingEvent(event))
        guard spool.append(payload.encoded) != nil else { return false }
        metrics.count(event.kind)
        return true
    }

    /// Accepts events, in order. Does not block; costs less than one call for each.
    ///
    /// - Returns: false only after ``stop()``.
    @discardableResult
    public func record(_ events: [LedgerEvent]) -> Bool {
        guard !events.isEmpty else { return true }
        guard spool.append(events.map { SpoolPayload(event: PendingEvent($0)).encoded }) else { return false }
        for event in events { metrics.count(event.kind) }
        return true
    }

    /// Accepts an event and waits until it is on disk.
    ///
    /// - Returns: false if the disk did not accept it within `timeout` milliseconds. The event is kept and retried,
    ///   unless the history has been stopped.
    @discardableResult
    public func recordDurably(_ event: LedgerEvent, timeout: Int64 = 5000) -> Bool {
        let reply = Mailbox<Bool>(capacity: 1)
        let payload = SpoolPayload(event: PendingEvent(event))
        guard spool.append(payload.encoded, reply: reply) != nil else { return false }
        metrics.count(event.kind)
        let deadline = SystemClock.monotonicNanoseconds() + timeout * 1_000_000
        if case .message(let isDurable) = reply.receive(deadline: deadline) { return isDurable }
        return false
    }

    /// Accepts measurements that belong together; each batch becomes one ledger entry about `subject`. Does not block.
    ///
    /// - Returns: false, and counts a refusal, if memory is exhausted because of a full disk, and after ``stop()``.
    @discardableResult
    public func record(measurements: [Measurement], subject: String = "measurements") -> Bool {
        guard spool.state.pendingBytes < configuration.pendingLimit else {
            metrics.refused.add(Double(measurements.count))
            return false
        }
        let now = SystemClock.wallMilliseconds()
        for batch in MeasurementBatch.batches(of: measurements) {
            let payload = SpoolPayload(event: batch.event(subject: subject, at: now), measurements: batch)
            guard spool.append(payload.encoded) != nil else { return false }
            metrics.count(.measurements)
            metrics.measurements.add(Double(batch.samples.count))
        }
        return true
    }

    /// Sets whether this process or another one writes to the database. Meanwhile records stay in the spool.
    public func turnChanged(isOurs: Bool) { writer.turnChanged(isOurs: isOurs) }

    /// The state of spool, delivery and verification.
    public var status: HistoryStatus {
        var status = writer.status
        status.selfCheck = selfCheck.status
        return status
    }

    /// Waits until everything recorded so far is in the database. Returns false after `timeout` milliseconds.
    public func drain(timeout: Int64) -> Bool {
        let target = spool.state.accepted
        let deadline = SystemClock.monotonicNanoseconds() + timeout * 1_000_000
        while writer.applied < target {
            if SystemClock.monotonicNanoseconds() >= deadline { return false }
            usleep(2000)
        }
        return true
    }

    /// Writes accepted records to disk and, within the time limit, to the database; then ends the threads. The rest
    /// stays in the spool for the next start.
    public func stop() {
        spool.close()
        writer.stop()
        reader.stop()
        selfCheck.stop()
        publisher.stop()
        for stream in streams { stream.stop() }
        spool.directory.unlock()
    }
}
