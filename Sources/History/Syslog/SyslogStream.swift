internal import CurlHTTP
internal import Database
internal import Instrumentation
internal import MetricModel
internal import Runtime
internal import Synchronization

/// The thread that sends the entries of the ledger to one syslog server.
///
/// The entries are read from the database, and so is the position of the last one that was sent: nothing waits in
/// memory, a restart or another node goes on where the last one stopped, and a server that is away delays nothing.
/// Entries from before the first start are not sent. After an error the last batch is sent again.
final class SyslogStream: Sendable {
    private enum Limit {
        static let batch = 200
        /// How often the database is asked when nobody says that there are new entries.
        static let interval: Int64 = 5_000_000_000
        static let firstPause: Int64 = 500_000_000
        static let longestPause: Int64 = 30_000_000_000
    }

    private let destination: SyslogDestination
    private let configuration: HistoryConfiguration
    /// Whether this process sends, among those that share the ledger.
    private let isOurTurn: @Sendable () -> Bool
    private let logger: Logger
    private let metrics: SyslogMetrics
    private let wake = Mailbox<Void>(capacity: 1)
    private let thread = Mutex<WorkerThread?>(nil)

    init(
        _ destination: SyslogDestination, _ configuration: HistoryConfiguration, logger: Logger, registry: Registry,
        isOurTurn: @escaping @Sendable () -> Bool
    ) throws(WorkerThread.StartError) {
        self.destination = destination
        self.configuration = configuration
        self.isOurTurn = isOurTurn
        self.logger = logger.with("syslog", destination.address)
        metrics = SyslogMetrics(registry, destination.address)
        let worker = try WorkerThread("syslog") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    /// There are new entries.
    func appended() { wake.send(()) }

    /// Ends the thread after the message that is being sent.
    func stop() {
        wake.close()
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        var pause = Limit.firstPause
        var lastFailure: String?
        while true {
            var failure: String?
            if isOurTurn() {
                do throws(HistoryError) {
                    try work {
                        pause = Limit.firstPause
                        if lastFailure != nil { self.logger.info("ledger entries are sent again") }
                        lastFailure = nil
                    }
                } catch {
                    failure = error.message
                }
            }
            if let failure {
                metrics.failures.add()
                // Numbers in the text, such as milliseconds, make no other failure.
                let kind = failure.filter { !$0.isNumber }
                if kind != lastFailure { logger.warn("ledger entries not sent to syslog", ["error": failure]) }
                lastFailure = kind
            }
            let end = SystemClock.monotonicNanoseconds() + (failure == nil ? Limit.interval : pause)
            if failure != nil { pause = min(pause * 2, Limit.longestPause) }
            guard waits(until: end, wakesEarly: failure == nil) else { return }
        }
    }

    /// Returns false at the end.
    private func waits(until end: Int64, wakesEarly: Bool) -> Bool {
        while true {
            switch wake.receive(deadline: end) {
            case .closed: return false
            case .timedOut: return true
            case .message: if wakesEarly { return true }
            }
        }
    }

    /// Sends until the history is stopped, another process's turn begins, or something fails.
    private func work(recovered: () -> Void) throws(HistoryError) {
        let store = try configuration.openStore()
        // The schema is that of the writer, which may not have been here yet.
        guard try store.hasTable("stream") else { return }
        let ledger = Ledger(store: store)
        var position = try ledger.streamPosition(of: destination.address)
        var sender: SyslogSender?
        while isOurTurn(), !wake.isClosed {
            let rows = try ledger.rows(after: position, limit: Limit.batch)
            try sender?.open()
            if let last = rows.last {
                let chosen = rows.filter { row in
                    destination.kinds.isEmpty
                        || LedgerEvent.Kind(rawValue: row.kind).map(destination.kinds.contains) ?? true
                }
                if !chosen.isEmpty {
                    let open: SyslogSender
                    if let sender { open = sender } else { open = try SyslogSender.connected(to: destination) }
                    sender = open
                    try deliver(chosen, over: open) { (sequence) throws(HistoryError) in
                        try ledger.keepStreamPosition(sequence, of: self.destination.address)
                    }
                }
                position = last.sequence
                try ledger.keepStreamPosition(position, of: destination.address)
                recovered()
            }
            metrics.behind.set(Double(max(0, try ledger.size() - position)))
            if rows.count == Limit.batch { continue }
            let end = SystemClock.monotonicNanoseconds() + Limit.interval
            guard waits(until: end, wakesEarly: true) else { return }
        }
    }

    /// Sends `rows`. If datagrams were sent before an error, they are remembered.
    private func deliver(
        _ rows: [LedgerRow], over sender: SyslogSender, keep: (Int64) throws(HistoryError) -> Void
    ) throws(HistoryError) {
        let messages = rows.map { SyslogMessage($0, destination, node: configuration.node) }
        var sent = 0
        do throws(HTTPFailure) {
            try sender.send(messages) { index, isDropped in
                sent = index + 1
                (isDropped ? metrics.dropped : metrics.sent).add()
            }
        } catch {
            if sent > 0 { try keep(rows[sent - 1].sequence) }
            throw HistoryError(.unreachable, error.message)
        }
    }
}

extension SyslogSender {
    fileprivate static func connected(to destination: SyslogDestination) throws(HistoryError) -> SyslogSender {
        do throws(HTTPFailure) { return try SyslogSender(destination) } catch {
            throw HistoryError(.unreachable, error.message)
        }
    }

    fileprivate func open() throws(HistoryError) {
        do throws(HTTPFailure) { try checkOpen() } catch { throw HistoryError(.unreachable, error.message) }
    }
}

extension Ledger {
    /// The last entry that was sent to `destination`. The first time, that is the newest entry.
    fileprivate func streamPosition(of destination: String) throws(HistoryError) -> Int64 {
        if let row = try store.rows("SELECT sequence FROM stream WHERE name = $1", [.text(destination)]).first {
            return row[0].integer
        }
        let size = try size()
        _ = try store.change(
            "INSERT INTO stream (name, sequence) VALUES ($1, $2)", [.text(destination), .integer(size)])
        return size
    }

    fileprivate func keepStreamPosition(_ sequence: Int64, of destination: String) throws(HistoryError) {
        _ = try store.change(
            "UPDATE stream SET sequence = $1 WHERE name = $2", [.integer(sequence), .text(destination)])
    }

    /// The number of entries.
    fileprivate func size() throws(HistoryError) -> Int64 {
        try store.rows("SELECT size FROM log WHERE id = 1").first?[0].integer ?? 0
    }
}

/// Metrics of one syslog server.
private struct SyslogMetrics: Sendable {
    let sent: Counter
    let dropped: Counter
    let failures: Counter
    let behind: Gauge

    init(_ registry: Registry, _ address: String) {
        let labels: KeyValuePairs = ["address": address]
        sent = registry.counter(
            "tribune_history_syslog_sent_total", "Ledger entries sent to a syslog server.", labels: labels)
        dropped = registry.counter(
            "tribune_history_syslog_dropped_total",
            "Ledger entries that were not sent to a syslog server because they are too long for a datagram.",
            labels: labels)
        failures = registry.counter(
            "tribune_history_syslog_failures_total",
            "Failed attempts to send ledger entries to a syslog server; they are repeated.", labels: labels)
        behind = registry.gauge(
            "tribune_history_syslog_behind_entries", "Ledger entries that a syslog server has not been sent yet.",
            labels: labels)
    }
}
