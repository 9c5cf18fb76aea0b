import MetricModel
import MetricStore
import PromQL
import RuleModel
import Synchronization
import Testing

@testable import RuleEngine

/// A store in memory with one lane for samples from outside.
struct RuleFixture {
    let store: MetricStore
    let lane: Lane

    init() throws {
        store = try MetricStore(StoreConfiguration(), registry: nil)
        lane = try store.openLane("scrape")
    }

    /// Commits one row at `seconds`.
    func scrape(_ seconds: Int64, _ samples: [(Labels, Double)]) throws {
        var row = lane.beginAppend(at: Timestamp(milliseconds: seconds * 1000))
        for (labels, value) in samples { row.append(try lane.slot(for: labels), value) }
        try row.commit()
    }

    /// Samples of the metric `name` by labels, as `seconds: value`; `stale` for staleness markers.
    func samples(_ name: String) throws -> [Labels: [String]] {
        let series = try store.select(
            [Matcher("__name__", .equal, name)], from: .distantPast, through: .distantFuture, sampleLimit: 1_000_000)
        return Dictionary(
            uniqueKeysWithValues: series.map { series in
                (
                    series.labels.dropping(["__name__"]),
                    zip(series.timestamps, series.values).map { time, value in
                        "\(time / 1000): \(value.isStaleMarker ? "stale" : FloatText.general(value))"
                    }
                )
            })
    }

    static func groups(_ text: String) throws -> [RuleGroup] {
        try RuleFile(parsing: Array(text.utf8), path: "r.yml").groups
    }

    static func group(_ text: String) throws -> RuleGroup {
        try #require(try groups(text).first)
    }
}

/// Keeps what sinks are handed.
final class Received: Sendable {
    private let state = Mutex<(alerts: [Alert], measurements: [RollbackMeasurement])>(([], []))
    private let trips = Mutex<[ActiveAlertSnapshot]>([])
    /// What rollback rules have tripped.
    var tripped: [ActiveAlertSnapshot] {
        get { trips.withLock { $0 } }
        set { trips.withLock { $0 = newValue } }
    }

    var alerts: [Alert] { state.withLock { $0.alerts } }
    var measurements: [RollbackMeasurement] { state.withLock { $0.measurements } }

    var sinks: RuleRunner.Sinks {
        RuleRunner.Sinks(
            alerts: { alerts in self.state.withLock { $0.alerts += alerts } },
            measurement: { measurement in self.state.withLock { $0.measurements.append(measurement) } },
            tripped: { _ in self.tripped })
    }
}
