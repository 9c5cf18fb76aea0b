public import Instrumentation
internal import JSON
internal import MetricModel
public import Runtime
internal import Synchronization

/// Shares notifications and silences with the other nodes of a lease: one thread writes what this node sent, and
/// exchanges silences every second.
///
/// May be called from any thread. Nothing waits for the database except ``entries()`` and ``stop()``.
public final class NotificationSharing: Sendable {
    private enum Limit {
        /// Changes in one statement.
        static let batch = 500
        static let periodNanoseconds: Int64 = 1_000_000_000
        /// How long a stop waits for the database.
        static let stopNanoseconds: Int64 = 5_000_000_000
    }

    private let store: any NotificationStore
    private let silences: SilenceRunner
    private let logger: Logger
    private let failures: Counter
    /// Changes that are not stored yet; the last of each group.
    private let waiting = Mutex<[String: NotificationLogEntry.Change]>([:])
    private let hasFailed = Mutex(false)
    private let wake = Mailbox<Void>(capacity: 1)
    private let thread = Mutex<WorkerThread?>(nil)

    /// A connection to the other nodes through `store`.
    public init(_ store: any NotificationStore, silences: SilenceRunner, logger: Logger, registry: Registry) {
        self.store = store
        self.silences = silences
        self.logger = logger.with("component", "notification")
        failures = registry.counter(
            "tribune_notification_sharing_failures_total",
            "Failed attempts to share notifications and silences through the database.")
        let queued = registry.gauge(
            "tribune_notification_sharing_queued", "Groups whose notifications are not in the shared database yet.")
        registry.onSnapshot { [weak self] in queued.set(Double(self?.waiting.withLock(\.count) ?? 0)) }
    }

    /// Starts the thread. To be called once.
    public func start() throws(WorkerThread.StartError) {
        silences.onLocalChange { [wake] in wake.send(()) }
        let worker = try WorkerThread("notify-share") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    /// Stores the remaining changes, unless the database does not respond, and ends the thread.
    public func stop() {
        wake.close()
        thread.withLock { $0.take() }?.join()
    }

    /// Adds changes of this node's notification log.
    func keep(_ changes: [NotificationLogEntry.Change]) {
        guard !changes.isEmpty else { return }
        waiting.withLock { waiting in
            for change in changes { waiting[change.key] = change }
        }
        wake.send(())
    }

    /// This node does not hold the lease: the remaining changes are another node's to make.
    func forget() { waiting.withLock { $0 = [:] } }

    /// The notifications that the nodes have sent. Waits for the database.
    func entries() throws(NotificationStoreFault) -> [NotificationLogEntry] { try store.notifications() }

    // MARK: The thread

    private func run() {
        var exchangeAt = SystemClock.monotonicNanoseconds()
        while true {
            let isStored = attempt { () throws(NotificationStoreFault) in try flush() }
            if SystemClock.monotonicNanoseconds() >= exchangeAt {
                attempt { () throws(NotificationStoreFault) in try silences.exchange(with: store) }
                exchangeAt = SystemClock.monotonicNanoseconds() + Limit.periodNanoseconds
            }
            // A database that does not respond is not asked again at once.
            var deadline = exchangeAt
            while true {
                switch wake.receive(deadline: deadline) {
                case .message where !isStored:
                    deadline = min(deadline, SystemClock.monotonicNanoseconds() + Limit.periodNanoseconds)
                    continue
                case .message: exchangeAt = min(exchangeAt, SystemClock.monotonicNanoseconds())
                case .timedOut: break
                case .closed: return finish()
                }
                break
            }
        }
    }

    private func finish() {
        let deadline = SystemClock.monotonicNanoseconds() + Limit.stopNanoseconds
        while SystemClock.monotonicNanoseconds() < deadline, waiting.withLock({ !$0.isEmpty }) {
            guard !attempt({ () throws(NotificationStoreFault) in try flush() }) else { return }
        }
    }

    private func flush() throws(NotificationStoreFault) {
        while true {
            let batch = waiting.withLock { waiting in
                let batch = Array(waiting.prefix(Limit.batch))
                for entry in batch { waiting[entry.key] = nil }
                return batch
            }
            guard !batch.isEmpty else { return }
            do throws(NotificationStoreFault) {
                guard try store.keep(batch.map(\.value)) else { return forget() }
            } catch {
                // Changes added meanwhile are newer.
                waiting.withLock { waiting in
                    for entry in batch where waiting[entry.key] == nil { waiting[entry.key] = entry.value }
                }
                throw error
            }
        }
    }

    @discardableResult
    private func attempt(_ body: () throws(NotificationStoreFault) -> Void) -> Bool {
        do throws(NotificationStoreFault) {
            try body()
            if hasFailed.withLock({ was in
                defer { was = false }
                return was
            }) {
                logger.info("notifications and silences are shared again")
            }
            return true
        } catch {
            failures.add()
            let isNew = hasFailed.withLock { was in
                defer { was = true }
                return !was
            }
            if isNew { logger.error("notifications and silences are not shared", ["error": error.description]) }
            return false
        }
    }
}

extension NotificationLogEntry.Change {
    /// Names the group in a database.
    public var key: String {
        JSON.array([.string(route), .object(labels.pairs.map { .init($0.name, .string($0.value)) })]).encoded
    }
}
