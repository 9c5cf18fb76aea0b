internal import Database
internal import Instrumentation
internal import MetricModel
internal import Runtime
internal import Synchronization
internal import TLS

/// The thread that brings spooled records to the database, signs checkpoints and keeps retention.
final class HistoryWriter: Sendable {
    private struct Shared {
        var isConnected = false
        var lastError: String?
        var applied: UInt64 = 0
        var size: Int64 = 0
        var root: [UInt8] = []
        var epoch: Int64 = 0
        var signedSize: Int64 = 0
        /// Whether this process is the one that writes.
        var isOurTurn = true
        /// A record that waits, and since when at the latest, on the monotonic clock; `nil` while none waits.
        var waiting: (record: UInt64, since: Int64)?

        /// For how long a record has waited, in nanoseconds.
        mutating func age(accepted: UInt64, now: Int64) -> Int64 {
            if let waiting, waiting.record <= applied { self.waiting = nil }
            if waiting == nil, accepted > applied { waiting = (accepted, now) }
            return waiting.map { now - $0.since } ?? 0
        }
    }

    /// What is known while a connection stands.
    private struct Session {
        var ledger: Ledger
        var head: LedgerHead
        var reader: SpoolReader
    }

    private let configuration: HistoryConfiguration
    private let spool: Spool
    private let signer: NoteSigner
    private let logger: Logger
    private let metrics: HistoryMetrics
    private let wake: Mailbox<Void>
    private let retryNanoseconds: Int64
    private let openStore: @Sendable () throws(HistoryError) -> LedgerStore
    private let shared = Mutex(Shared())
    private let stopBy = Mutex<Int64?>(nil)
    private let thread = Mutex<WorkerThread?>(nil)

    /// Most records in one transaction.
    private static let batchLimit = 1000
    /// Between looks at what retention has to drop.
    private static let retentionInterval: Int64 = 3600 * 1_000_000_000

    init(
        _ configuration: HistoryConfiguration, spool: Spool, signer: NoteSigner, wake: Mailbox<Void>, logger: Logger,
        metrics: HistoryMetrics, retryNanoseconds: Int64,
        openStore: @escaping @Sendable () throws(HistoryError) -> LedgerStore
    ) {
        self.retryNanoseconds = retryNanoseconds
        self.openStore = openStore
        self.configuration = configuration
        self.spool = spool
        self.signer = signer
        self.wake = wake
        self.logger = logger
        self.metrics = metrics
        shared.withLock { $0.isOurTurn = !configuration.waitsForTurn }
        thread.withLock { $0 = WorkerThread("history") { [self] in run() } }
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
            lastError: spooled.failure ?? shared.lastError, size: shared.size,
            root: shared.root.isEmpty ? "" : Base64.text(shared.root), epoch: shared.epoch,
            signedSize: shared.signedSize, publicKey: signer.verifier.text)
    }

    /// Another process writes from now on, or this one does.
    func turnChanged(isOurs: Bool) {
        shared.withLock { $0.isOurTurn = isOurs }
        wake.send(())
    }

    private var isOurTurn: Bool { shared.withLock(\.isOurTurn) }

    /// Returns false when the history was stopped meanwhile.
    private func awaitTurn() -> Bool {
        while !isOurTurn {
            if case .closed = wake.receive() { return false }
        }
        return true
    }

    /// Goes on for as long as the configuration allows, then ends the thread.
    func stop() {
        stopBy.withLock { $0 = SystemClock.monotonicNanoseconds() + configuration.stopTimeout.rawValue * 1_000_000 }
        wake.close()
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        var epoch: Int64?
        var backoff = retryNanoseconds
        while awaitTurn() {
            do throws(HistoryError) {
                try work(&epoch, connected: { backoff = retryNanoseconds })
                if isOurTurn || isStopping { return }
                // Whoever writes next takes the ledger over, and so does this process with its next turn.
                epoch = nil
                shared.withLock { $0.isConnected = false }
                continue
            } catch {
                failed(error)
                if isStopping { return }
                if error.code == .fenced {
                    guard configuration.waitsForTurn else { return }
                    epoch = nil
                    turnChanged(isOurs: false)
                    continue
                }
            }
            // A conflict is over as soon as the head is read again.
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

    private func failed(_ error: HistoryError) {
        metrics.failures.add()
        let isNews = shared.withLock { shared in
            defer {
                shared.isConnected = false
                shared.lastError = error.message
            }
            return shared.lastError != error.message
        }
        if isNews { logger.error("the history cannot be written; it is spooled", ["err": error.message]) }
    }

    /// Connects and works until the history is stopped and everything is applied, another process's turn comes, or something fails.
    private func work(_ epoch: inout Int64?, connected: () -> Void) throws(HistoryError) {
        var session = try connect(&epoch)
        connected()
        var checkedRetention: Int64 = .min / 2
        var signedAt: Int64 = .min / 2
        while !mustEnd, isOurTurn {
            let now = SystemClock.monotonicNanoseconds()
            // Asked before looking for records: whoever stops us has closed the spool, so that none comes after the last look.
            let isEnding = isStopping
            if configuration.retention != nil, now - checkedRetention > Self.retentionInterval {
                try retain(&session)
                checkedRetention = now
            }
            let mustSign = now - signedAt >= configuration.checkpointInterval.rawValue * 1_000_000 || isEnding
            if try apply(&session, signing: mustSign) {
                if mustSign { signedAt = now }
                continue
            }
            if mustSign, session.head.size > shared.withLock({ $0.signedSize }) {
                keep(note: try session.ledger.sign(session.head, with: signer), size: session.head.size)
                signedAt = now
            }
            if isEnding { return }
            _ = wake.receive(deadline: now + configuration.checkpointInterval.rawValue * 1_000_000)
        }
    }

    private func connect(_ epoch: inout Int64?) throws(HistoryError) -> Session {
        let store = try openStore()
        let now = SystemClock.wallMilliseconds()
        let migrated = try store.migrate(origin: configuration.origin, now: now)
        for step in migrated { logger.info("schema step applied", ["version": step.version, "name": step.name]) }
        let ledger = Ledger(store: store)
        let head = try epoch == nil ? ledger.takeOver() : ledger.head()
        if let epoch, head.epoch != epoch {
            throw HistoryError(
                .fenced,
                "another process has taken the ledger over (epoch \(head.epoch), ours was \(epoch)); "
                    + "records stay in the spool until this one is started again")
        }
        if head.origin != configuration.origin {
            throw HistoryError(
                .invalid, "the database holds the ledger of \"\(head.origin)\", not of \"\(configuration.origin)\"")
        }
        epoch = head.epoch
        let position = try position(in: ledger)
        let signedSize = try store.rows("SELECT coalesce(max(size), 0) FROM checkpoint").first?.first?.integer ?? 0
        shared.withLock { shared in
            shared.applied = position
            shared.epoch = head.epoch
            shared.signedSize = signedSize
            shared.size = head.size
            shared.root = head.tree.root
            shared.isConnected = true
            shared.lastError = nil
        }
        logger.info("history connected", ["database": store.name, "entries": head.size, "epoch": head.epoch])
        return Session(ledger: ledger, head: head, reader: SpoolReader(directory: spool.directory))
    }

    /// How far the ledger has this spool.
    private func position(in ledger: Ledger) throws(HistoryError) -> UInt64 {
        let identity = spool.directory.identity
        let state = spool.state
        if let position = try ledger.position(ofSpool: identity) {
            guard position <= state.accepted else {
                throw HistoryError(
                    .malformed,
                    "the ledger holds record \(position) of a spool that ends at \(state.accepted): "
                        + "the directory was restored from an old copy; move \(spool.directory.path) aside")
            }
            return position
        }
        // New to this database: everything still here goes in, what another database has got is gone.
        let position = max(state.segments.first ?? 1, 1) - 1
        try ledger.register(spool: identity, at: position)
        return position
    }

    /// Brings the next records to the database. Returns false where there are none.
    private func apply(_ session: inout Session, signing: Bool) throws(HistoryError) -> Bool {
        let state = spool.state
        let position = applied
        let records = try session.reader.records(
            after: position, through: state.durable, in: state.segments, count: Self.batchLimit)
        guard let first = records.first?.sequence, let last = records.last?.sequence else { return false }
        if first > position + 1 {
            logger.error(
                "records are neither in the database nor in the spool: either was damaged or restored from an old copy",
                ["first": position + 1, "last": first - 1])
        }
        var payloads: [SpoolPayload] = []
        for record in records { payloads.append(try SpoolPayload(decoding: record.payload)) }
        let start = SystemClock.monotonicNanoseconds()
        let note = try session.ledger.apply(
            payloads, ofSpool: spool.directory.identity, from: position, through: last, to: &session.head,
            signer: signing ? signer : nil)
        let end = SystemClock.monotonicNanoseconds()
        metrics.duration.observe(Double(end - start) / 1e9)
        metrics.applied.add(Double(records.count))
        spool.discard(through: last)
        shared.withLock { shared in
            shared.applied = last
            shared.size = session.head.size
            shared.root = session.head.tree.root
            _ = shared.age(accepted: state.accepted, now: end)
        }
        if let note { keep(note: note, size: session.head.size) }
        return true
    }

    /// Remembers a checkpoint, also outside of the database, so that cutting the ledger's end off is noticed.
    private func keep(note: String, size: Int64) {
        shared.withLock { $0.signedSize = size }
        do throws(HistoryError) {
            try DurableFile.write(note, to: configuration.checkpointPath)
        } catch {
            logger.warn("the last checkpoint is kept in the database only", ["err": error.message])
        }
    }

    private func retain(_ session: inout Session) throws(HistoryError) {
        guard let retention = configuration.retention else { return }
        let now = SystemClock.wallMilliseconds()
        let rows = try session.ledger.retain(
            from: Month(containing: now - retention.rawValue), now: now, head: &session.head)
        if rows > 0 { logger.info("old measurements dropped", ["rows": rows]) }
    }
}
