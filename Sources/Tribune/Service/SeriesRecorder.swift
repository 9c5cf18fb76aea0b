internal import DeploymentGates
internal import History
internal import MetricModel
internal import MetricStore
internal import PromQL
internal import Runtime
internal import Synchronization

/// Records the values of selected series in the history at their times: `history.record`, and recording rules with
/// `record_history`. Owns one thread.
final class SeriesRecorder: Sendable {
    /// A change of the recorded series.
    private typealias Change = [SeriesRecording]

    private let store: MetricStore
    private let engine: QueryEngine
    private let recorder: Recorder
    private let logger: Logger
    private let changes = Mailbox<Change>(capacity: 4)
    private let thread = Mutex<WorkerThread?>(nil)

    init(store: MetricStore, engine: QueryEngine, recorder: Recorder, logger: Logger) {
        self.store = store
        self.engine = engine
        self.recorder = recorder
        self.logger = logger.with("component", "history")
    }

    func start(_ recordings: [SeriesRecording]) throws(WorkerThread.StartError) {
        let worker = try WorkerThread("history-record") { self.run(recordings) }
        thread.withLock { $0 = worker }
    }

    /// Records these series from now on.
    func reload(_ recordings: [SeriesRecording]) {
        if !changes.send(recordings) { logger.error("recorded series not changed, too many reloads at once") }
    }

    func stop() {
        changes.close()
        thread.withLock { $0.take() }?.join()
    }

    private func run(_ recordings: [SeriesRecording]) {
        var present = recordings
        var schedule = RecordingSchedule(present, now: ServiceBuilder.now())
        while true {
            let wait = schedule.next.map { max(0, ($0 - ServiceBuilder.now()).rawValue) } ?? 3_600_000
            switch changes.receive(deadline: SystemClock.monotonicNanoseconds() + wait * 1_000_000) {
            case .closed: return
            case .message(let recordings):
                // Times are kept if nothing changes, so that a reload leaves no gap.
                guard recordings != present else { continue }
                present = recordings
                schedule = RecordingSchedule(present, now: ServiceBuilder.now())
            case .timedOut:
                for (selector, time) in schedule.due(at: ServiceBuilder.now()) { record(selector, at: time) }
            }
        }
    }

    private func record(_ selector: String, at time: Timestamp) {
        do throws(QueryError) {
            let elements = try engine.elements(of: selector, at: time, from: store)
            recorder.sampled(
                elements.map { Measurement(labels: $0.labels, timestamp: time, value: $0.value) }, of: selector)
        } catch {
            logger.warn("series not recorded", ["match": selector, "error": error.description])
        }
    }
}
