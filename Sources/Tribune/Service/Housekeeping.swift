internal import History
internal import MetricModel
internal import MetricStore
internal import Notification
internal import Rollback
internal import RolloutRunner
internal import RuleEngine
internal import RuleModel
internal import Runtime
internal import Synchronization

/// Periodic work: drops old samples, logs damaged ones, passes on measurements, ends expired silences, returns free
/// memory, reports failures of the history and of query servers, and informs the rollback engine whether the history
/// can be written, because promotions pause while it cannot.
final class Housekeeping: Sendable {
    private static let period: Int64 = 1_000_000_000
    /// The number of periods between checks of the heap.
    private static let trimmingEvery = 15

    private let store: MetricStore
    private let history: HistoryRunner
    private let rollback: RollbackRunner
    private let recorder: Recorder
    private let silences: SilenceRunner
    private let notify: @Sendable ([Alert]) -> Void
    private let queries: QuerySources
    /// Notifies the notifier when every rule has been evaluated since the start. Returns false until then.
    private let rulesWereEvaluated: @Sendable () -> Bool
    private let logger: Logger
    private let ending = Mailbox<Void>(capacity: 1)
    private let thread = Mutex<WorkerThread?>(nil)

    init(
        store: MetricStore, queries: QuerySources, history: HistoryRunner, rollback: RollbackRunner, recorder: Recorder,
        silences: SilenceRunner, notify: @escaping @Sendable ([Alert]) -> Void,
        rulesWereEvaluated: @escaping @Sendable () -> Bool, logger: Logger
    ) {
        self.notify = notify
        self.queries = queries
        self.store = store
        self.history = history
        self.rollback = rollback
        self.recorder = recorder
        self.silences = silences
        self.rulesWereEvaluated = rulesWereEvaluated
        self.logger = logger
    }

    func start() throws(WorkerThread.StartError) {
        let worker = try WorkerThread("housekeeping") { self.run() }
        thread.withLock { $0 = worker }
    }

    func stop() {
        ending.close()
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        var wasAvailable = true
        var historyAlerts = HistoryAlerts()
        var queryAlerts = QueryServerAlerts()
        var trimmer = HeapTrimmer()
        var periods = 0
        var areRulesEvaluated = false
        while case .timedOut = ending.receive(deadline: SystemClock.monotonicNanoseconds() + Self.period) {
            store.maintain(now: Timestamp(milliseconds: SystemClock.wallMilliseconds()))
            for note in store.takeNotes() { logger.warn(note, ["component": "store"]) }
            recorder.flush(ifOlderThan: 10_000)
            silences.advance()
            if !areRulesEvaluated { areRulesEvaluated = rulesWereEvaluated() }
            periods += 1
            if periods % Self.trimmingEvery == 0 { trimmer.step() }
            let status = history.status
            let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
            let alerts =
                historyAlerts.alerts(for: status, at: now) + queryAlerts.alerts(for: queries.troubles, at: now)
            if !alerts.isEmpty { notify(alerts) }
            let isAvailable = !status.isBehind
            if isAvailable != wasAvailable {
                rollback.historyChanged(isAvailable: isAvailable)
                wasAvailable = isAvailable
            }
        }
    }
}
