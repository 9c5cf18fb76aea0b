import Glibc
import Instrumentation
import MetricModel
import MetricStore
import PromQL
import Rollback
import RolloutRunner
import RuleEngine
import RuleModel
import Runtime
import TestSupport

/// Store, rules, controller and a real HAProxy, connected as in the service. Scrapes are committed manually.
final class Chain {
    let directory = TemporaryDirectory()
    private let lane: Lane
    private let slot: RingSlot
    private let rules: RuleRunner
    private let rollback: RollbackRunner
    private let reports: Mailbox<RollbackReport>
    private let plan: RolloutPlan
    private var time = SystemClock.wallMilliseconds()

    /// - Parameter journals: the directory of journals; `nil` for one of its own.
    init(_ plan: String, journals: String? = nil) throws {
        self.plan = try RolloutPlan(parsing: plan, file: "plan.yml")
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        lane = try store.openLane("scrape")
        slot = try lane.slot(for: ["__name__": "quality", "job": "bench"])
        let text = """
            groups:
            - name: g
              interval: 1h
              rules:
              - {rollback: Low, expr: quality, trip: "< 0.95", immediate: true, cooldown: 1ms, action: {plan: p, scope: all}}
            """
        let reports = Mailbox<RollbackReport>(capacity: 100)
        self.reports = reports
        let rollback = try RollbackRunner(
            plans: [self.plan], settings: .init(directory: journals ?? directory.path),
            sinks: RollbackSinks(report: { reports.send($0) }))
        self.rollback = rollback
        rules = RuleRunner(
            store: store, engine: QueryEngine(), groups: try RuleFile(parsing: Array(text.utf8), path: "r.yml").groups,
            settings: RuleSettings(),
            sinks: .init(alerts: { _ in }, measurement: { rollback.measured($0) }), registry: Registry(),
            logger: Logger())
        try rollback.start()
        try rules.start()
    }

    deinit {
        rules.stop()
        rollback.stop()
    }

    /// Commits a scrape with this value.
    func commit(_ value: Double) throws {
        time = max(time + 1, SystemClock.wallMilliseconds())
        var row = lane.beginAppend(at: Timestamp(milliseconds: time))
        row.append(slot, value)
        try row.commit()
        rules.scrapeCommitted(
            lane: lane.id, at: Timestamp(milliseconds: time), nanoseconds: SystemClock.monotonicNanoseconds())
    }

    /// Starts a rollout and waits until every service is at `progress`.
    func advance(to progress: String) throws {
        try commit(1)
        guard
            Loopback.eventually({ self.rollback.command(RolloutCommand(.start, by: "bench"), plan: "p") == .accepted })
        else { throw BenchmarkFailure("the rollout does not start: \(rollback.snapshots)") }
        guard Loopback.eventually({ self.rollback.snapshots[0].services.allSatisfy { $0.progress == progress } }) else {
            throw BenchmarkFailure("the services do not come to \(progress): \(rollback.snapshots)")
        }
    }

    /// Commits a violation and returns the report of the resulting rollback.
    ///
    /// - Parameter mend: called when the first shift has been acknowledged, so that the rollback can end.
    func violate(mend: (() throws -> Void)? = nil) throws -> RollbackReport {
        try commit(0.5)
        if let mend {
            guard Loopback.eventually({ self.rollback.snapshots[0].services[0].routes[0].view.observed == .allStable })
            else { throw BenchmarkFailure("no shift: \(rollback.snapshots)") }
            try mend()
        }
        let deadline = SystemClock.monotonicNanoseconds() + 30_000_000_000
        guard case .message(let report) = reports.receive(deadline: deadline), report.rollback.verdict?.isValid == true
        else { throw BenchmarkFailure("no valid rollback: \(rollback.snapshots)") }
        return report
    }
}

/// Sorted values in milliseconds.
struct Spread: CustomStringConvertible {
    private let sorted: [Double]

    init(_ values: [Double]) {
        sorted = values.sorted()
    }

    func quantile(_ share: Double) -> Double { sorted[Int(Double(sorted.count - 1) * share)] }

    var description: String {
        func text(_ share: Double) -> String { "\((quantile(share) * 100).rounded() / 100)" }
        return "p50 \(text(0.5)) ms, p99 \(text(0.99)) ms, most \(text(1)) ms"
    }
}
