public import Instrumentation
public import MetricModel
public import MetricStore
public import PromQL
public import RuleModel
public import Runtime
internal import Synchronization

/// Evaluates rule groups: by the clock, and as soon as a scrape has stored samples that they read.
///
/// One thread schedules and a fixed number of threads evaluate. Created by the composition root. May be called from any
/// thread.
public final class RuleRunner: Sendable {
    /// Receives results. Called from the evaluating threads, which wait for it: implementations must return quickly.
    public struct Sinks: Sendable {
        /// Alerts that must be sent, with external labels.
        public var alerts: @Sendable ([Alert]) -> Void
        /// The measurement of a rollback rule.
        public var measurement: @Sendable (RollbackMeasurement) -> Void
        /// The tripped elements of the rollback rule `file;group;name`, as alerts.
        public var tripped: @Sendable (String) -> [ActiveAlertSnapshot]

        /// Sinks.
        public init(
            alerts: @escaping @Sendable ([Alert]) -> Void,
            measurement: @escaping @Sendable (RollbackMeasurement) -> Void,
            tripped: @escaping @Sendable (String) -> [ActiveAlertSnapshot] = { _ in [] }
        ) {
            self.alerts = alerts
            self.measurement = measurement
            self.tripped = tripped
        }
    }

    private let clock: RuleClock
    private let threads = Mutex<[WorkerThread]>([])
    private let concurrency: Int

    /// A runner for `groups`. It does nothing before `start`.
    ///
    /// - Parameter servers: what answers groups that do not read `store`.
    public init(
        store: MetricStore, engine: QueryEngine, servers: (any RuleServers)? = nil, groups: [RuleGroup],
        settings: RuleSettings, sinks: Sinks, registry: Registry, logger: Logger
    ) {
        concurrency = max(1, settings.concurrency)
        clock = RuleClock(
            store: store, engine: engine, servers: servers, sinks: sinks, metrics: RuleMetrics(registry), logger: logger
        )
        clock.mailbox.send(.load(groups, settings, restoring: true))
    }

    /// Starts the threads. Call it once. If a thread cannot be started, stops the others and throws.
    public func start() throws(WorkerThread.StartError) {
        let clock = clock
        do throws(WorkerThread.StartError) {
            try threads.withLock { (threads) throws(WorkerThread.StartError) in
                threads.append(try WorkerThread("rule-clock") { clock.run() })
                for index in 0..<concurrency {
                    threads.append(try WorkerThread("rules-\(index)") { clock.work() })
                }
            }
        } catch {
            stop()
            throw error
        }
    }

    /// Waits for running evaluations and joins the threads.
    public func stop() {
        clock.isStopping.store(true, ordering: .relaxed)
        clock.mailbox.close()
        for thread in threads.withLock({ threads in
            defer { threads = [] }
            return threads
        }) { thread.join() }
    }

    /// Replaces the groups. Unchanged groups continue. In changed groups, rules with the same kind, name and labels
    /// keep their state. The series of removed groups end after one more interval.
    public func reload(_ groups: [RuleGroup], settings: RuleSettings) {
        clock.mailbox.send(.load(groups, settings, restoring: false))
    }

    /// Reports that a scrape was committed, at `nanoseconds` of the monotonic clock. Cheap; never waits for an
    /// evaluation.
    ///
    /// - Parameter time: the timestamp of the scrape's samples.
    public func scrapeCommitted(lane: LaneID, at time: Timestamp, nanoseconds: Int64) {
        clock.scrapeCommitted(lane: lane, at: time, nanoseconds: nanoseconds)
    }

    /// Asks every thread whether it turns over, through the queue of its work. The pulses have the answers.
    public func probe() -> [Pulse] { clock.probe() }

    /// Whether every group has been evaluated with samples newer than `start`: at least two of its intervals, and at
    /// least five seconds, later. A group whose server has left something unanswered has not been.
    public func hasEvaluatedAll(since start: Timestamp) -> Bool {
        let isAnswered = clock.listing.withLock { $0 }.flatMap(\.units)
            .allSatisfy { !$0.published.withLock { $0.isUnanswered } }
        return isAnswered
            && snapshots().allSatisfy { group in
                let settled = start + max(.milliseconds(2 * group.interval.rawValue), .seconds(5))
                return group.lastEvaluation.map { $0 >= settled } ?? false
            }
    }

    /// All groups with their rules, sorted by file and name.
    public func snapshots() -> [RuleGroupSnapshot] {
        clock.listing.withLock { $0 }.map(\.snapshot).sorted {
            ByteOrder.equal($0.file, $1.file)
                ? ByteOrder.precedes($0.name, $1.name) : ByteOrder.precedes($0.file, $1.file)
        }
    }
}
