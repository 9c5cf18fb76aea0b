internal import Instrumentation
internal import MetricModel
internal import Runtime
internal import Synchronization
internal import TLS

/// The thread that delivers spooled records to the database, signs checkpoints and applies retention.
final class HistoryWriter: Sendable {
    struct Shared {
        var isConnected = false
        var lastError: String?
        var halt: String?
        var applied: UInt64 = 0
        var size: Int64 = 0
        var root: [UInt8] = []
        var epoch: Int64 = 0
        var signedSize: Int64 = 0
        var publicKey = ""
        /// Whether this process writes.
        var isOurTurn = true
        /// The number of turns of this process.
        var turns = 0
        /// Failures with the same message since it was logged.
        var repeats = 0
        /// A waiting record, and the latest time since when it waits, on the monotonic clock; `nil` if none waits.
        var waiting: (record: UInt64, since: Int64)?

        /// How long a record has waited, in nanoseconds.
        mutating func age(accepted: UInt64, now: Int64) -> Int64 {
            if let waiting, waiting.record <= applied { self.waiting = nil }
            if waiting == nil, accepted > applied { waiting = (accepted, now) }
            return waiting.map { now - $0.since } ?? 0
        }
    }

    let configuration: HistoryConfiguration
    let spool: Spool
    let keeper: RecordKeeper
    let logger: Logger
    let metrics: HistoryMetrics
    let openStore: @Sendable () throws(HistoryError) -> LedgerStore
    let shared = Mutex(Shared())
    /// Told of new entries.
    let followers = Mutex<[SyslogStream]>([])
    private let wake: Mailbox<Void>
    private let retryNanoseconds: Int64
    private let stopBy = Mutex<Int64?>(nil)
    private let thread = Mutex<WorkerThread?>(nil)

    /// The time between two transactions of fewer records than one may have.
    private static let collectionNanoseconds: Int64 = 20_000_000
    /// The interval of retention.
    private static let retentionInterval: Int64 = 3600 * 1_000_000_000

    init(
        _ configuration: HistoryConfiguration, spool: Spool, wake: Mailbox<Void>, logger: Logger,
        metrics: HistoryMetrics, retryNanoseconds: Int64,
        openStore: @escaping @Sendable () throws(HistoryError) -> LedgerStore
    ) throws(WorkerThread.StartError) {
        self.retryNanoseconds = retryNanoseconds
        self.openStore = openStore
        self.configuration = configuration
        self.spool = spool
        keeper = RecordKeeper(configuration)
        self.wake = wake
        self.logger = logger
        self.metrics = metrics
        shared.withLock { $0.isOurTurn = !configuration.waitsForTurn }
        let worker = try WorkerThread("history") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    /// The last record of the spool that is in the database.
    var applied: UInt64 { shared.withLock { $0.applied } }

    var status: HistoryStatus {
        let spooled = spool.state
        let (shared, isLate) = shared.withLock { shared in
            let age = shared.age(accepted: spooled.accepted, now: SystemClock.monotonicNanoseconds())
            return (shared, shared.isOurTurn && age > configuration.behindAfter.rawValue * 1_000_000)
        }
        return HistoryStatus(
            database: configuration.database.description, isConnected: shared.isConnected,
            spooled: Int(spooled.accepted - min(spooled.accepted, shared.applied)), spooledBytes: spooled.bytes,
            isBehind: shared.isOurTurn && !shared.isConnected || spooled.failure != nil || isLate,
            lastError: spooled.failure ?? shared.lastError, halt: shared.halt, size: shared.size,
            root: shared.root.isEmpty ? "" : Base64.text(shared.root), epoch: shared.epoch,
            signedSize: shared.signedSize, publicKey: shared.publicKey)
    }

    /// Sets whether this process or another one writes.
    func turnChanged(isOurs: Bool) {
        shared.withLock { shared in
            shared.isOurTurn = isOurs
            if isOurs { shared.turns += 1 }
        }
        wake.send(())
    }

    var isOurTurn: Bool { shared.withLock(\.isOurTurn) }

    /// Observes the record while another process writes it. Returns false if the history was stopped meanwhile.
    private func awaitTurn() -> Bool {
        while !isOurTurn {
            observe()
            let next = SystemClock.monotonicNanoseconds() + configuration.observationInterval.rawValue * 1_000_000
            if case .closed = wake.receive(deadline: next) { return false }
        }
        return true
    }

    /// Continues within the time limit of the configuration, then ends the thread.
    func stop() {
        stopBy.withLock { $0 = SystemClock.monotonicNanoseconds() + configuration.stopTimeout.rawValue * 1_000_000 }
        wake.close()
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        var epoch: Int64?
        var backoff = retryNanoseconds
        // The turn in which the ledger was taken over.
        var turn = 0
        while awaitTurn() {
            if epoch == nil { turn = shared.withLock(\.turns) }
            do throws(HistoryError) {
                try work(&epoch, connected: { backoff = retryNanoseconds })
                if isOurTurn || isStopping { return }
                // The next writer takes over the ledger, as does this process in its next turn.
                epoch = nil
                shared.withLock { $0.isConnected = false }
                continue
            } catch {
                failed(error)
                if isStopping { return }
                if error.code == .fenced {
                    guard configuration.waitsForTurn else { return }
                    epoch = nil
                    // Another turn may have begun before this process noticed the end of the previous one.
                    shared.withLock { shared in
                        if shared.turns == turn { shared.isOurTurn = false }
                    }
                    continue
                }
                // A person must act; afterwards the ledger is taken over again.
                if error.code == .halted { epoch = nil }
            }
            // A conflict ends when the head is read again.
            pause(backoff)
            backoff = min(backoff * 2, retryNanoseconds * 20)
        }
    }

    private var isStopping: Bool { stopBy.withLock { $0 != nil } }

    private var mustEnd: Bool {
        stopBy.withLock { $0 }.map { SystemClock.monotonicNanoseconds() >= $0 } ?? false
    }

    /// Waits at least `nanoseconds`, unless the history is stopped meanwhile.
    private func pause(_ nanoseconds: Int64) {
        let deadline = SystemClock.monotonicNanoseconds() + nanoseconds
        while SystemClock.monotonicNanoseconds() < deadline {
            if case .closed = wake.receive(deadline: deadline) { return }
        }
    }

    /// Logs a failure once, and the number of its repetitions when it changes.
    func failed(_ error: HistoryError) {
        metrics.failures.add()
        let (isNews, repeats) = shared.withLock { shared in
            let isNews = shared.lastError != error.message
            let repeats = shared.repeats
            shared.isConnected = false
            shared.lastError = error.message
            shared.halt = error.code == .halted ? error.message : nil
            shared.repeats = isNews ? 0 : repeats + 1
            return (isNews, repeats)
        }
        guard isNews else { return }
        if repeats > 0 { logger.warn("previous failure repeated", ["count": repeats]) }
        if error.code == .halted {
            logger.error("history delivery halted", ["error": error.message])
        } else {
            logger.error("history not delivered, records are spooled", ["error": error.message])
        }
    }

    /// Connects and works until the history is stopped and everything is applied, another process's turn begins, or a
    /// failure occurs.
    private func work(_ epoch: inout Int64?, connected: () -> Void) throws(HistoryError) {
        var session = try connect(&epoch)
        connected()
        var checkedRetention: Int64 = .min / 2
        var signedAt: Int64 = .min / 2
        while !mustEnd, isOurTurn {
            let now = SystemClock.monotonicNanoseconds()
            // Checked before records are read: the caller of stop has closed the spool, so no record arrives after the
            // last read.
            let isEnding = isStopping
            if configuration.retention != nil, now - checkedRetention > Self.retentionInterval {
                retain(&session)
                checkedRetention = now
            }
            rollUp(&session, now: now)
            if now - session.checkedContinuity > configuration.continuityInterval.rawValue * 1_000_000 {
                try recheck(&session, now: now)
            }
            let mustSign = now - signedAt >= configuration.checkpointInterval.rawValue * 1_000_000 || isEnding
            let delivered = try apply(&session, signing: mustSign)
            if delivered > 0 {
                if mustSign { signedAt = now }
                // Records that arrive one by one share the next transaction.
                if delivered < Self.batchLimit, !isEnding { pause(Self.collectionNanoseconds) }
                continue
            }
            if mustSign, session.head.size > shared.withLock({ $0.signedSize }) {
                keep(note: try session.ledger.sign(session.head, with: session.signer), size: session.head.size)
                signedAt = now
            }
            if isEnding { return }
            _ = wake.receive(deadline: now + configuration.checkpointInterval.rawValue * 1_000_000)
        }
    }
}
