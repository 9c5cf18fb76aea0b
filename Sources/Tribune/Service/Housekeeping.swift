internal import History
internal import MetricModel
internal import MetricStore
internal import Notification
internal import Rollback
internal import Runtime
internal import Synchronization

/// What must be done every second or so: lets old samples go, says which were found damaged, hands over measurements, ends
/// silences whose time is over, gives idle memory back, and tells the rollback engine whether the history can be written, since promotions pause while it cannot.
final class Housekeeping: Sendable {
    private static let period: Int64 = 1_000_000_000
    /// Periods between two looks at the heap.
    private static let trimmingEvery = 15

    private let store: MetricStore
    private let history: HistoryRunner
    private let rollback: RollbackRunner
    private let recorder: Recorder
    private let silences: SilenceRunner
    private let logger: Logger
    private let ending = Mailbox<Void>(capacity: 1)
    private let thread = Mutex<WorkerThread?>(nil)

    init(
        store: MetricStore, history: HistoryRunner, rollback: RollbackRunner, recorder: Recorder,
        silences: SilenceRunner, logger: Logger
    ) {
        self.store = store
        self.history = history
        self.rollback = rollback
        self.recorder = recorder
        self.silences = silences
        self.logger = logger
    }

    func start() {
        thread.withLock { $0 = WorkerThread("housekeeping") { self.run() } }
    }

    func stop() {
        ending.close()
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        var wasAvailable = true
        var trimmer = HeapTrimmer()
        var periods = 0
        while case .timedOut = ending.receive(deadline: SystemClock.monotonicNanoseconds() + Self.period) {
            store.maintain(now: Timestamp(milliseconds: SystemClock.wallMilliseconds()))
            for note in store.takeNotes() { logger.warn(note, ["component": "store"]) }
            recorder.flush(ifOlderThan: 10_000)
            silences.advance()
            periods += 1
            if periods % Self.trimmingEvery == 0 { trimmer.step() }
            let isAvailable = !history.status.isBehind
            if isAvailable != wasAvailable {
                rollback.historyChanged(isAvailable: isAvailable)
                wasAvailable = isAvailable
            }
        }
    }
}
