import MetricModel
import MetricStore

/// Series that come and go: every minute a tenth of each target's series ends and the same number begins, at 15 s per
/// sample, as fast as possible. Prints the resident memory every five minutes.
struct Churn {
    private struct Target {
        let lane: Lane
        var slots: [RingSlot] = []
        /// The next series to end.
        var oldest = 0
    }

    private static let interval = 15
    private static let perTarget = 1000

    private let store: MetricStore
    private var targets: [Target] = []
    private var next = 0
    private let began: Int64 = 1_700_000_000_000

    /// - Parameter retention: minutes after which samples are dropped, and series with their last sample.
    init(series: Int, retention: Int, directory: String?) throws {
        var configuration = StoreConfiguration(directory: directory)
        configuration.retentionMilliseconds = Int64(retention) * 60_000
        store = try MetricStore(configuration, registry: nil)
        for number in 0..<max(1, series / Self.perTarget) {
            var target = Target(lane: try store.openLane("target \(number)"))
            for _ in 0..<Self.perTarget { target.slots.append(try makeSlot(target.lane)) }
            targets.append(target)
        }
    }

    private mutating func makeSlot(_ lane: Lane) throws -> RingSlot {
        next += 1
        return try lane.slot(
            for: Labels([
                Label("__name__", "http_requests_total"), Label("job", "api"), Label("instance", lane.name),
                Label("pod", "api-\(next / 20)"), Label("path", "/api/v1/resource/\(next % 20)"),
                Label("method", "GET"),
            ]))
    }

    /// Simulates `minutes`.
    mutating func run(minutes: Int) throws {
        let series = targets.count * Self.perTarget
        print("\(series) series, a tenth of them replaced every minute")
        for minute in 0..<minutes {
            for step in 0..<60 / Self.interval { try append(at: minute * 60 + step * Self.interval) }
            let now = Timestamp(milliseconds: began + Int64(minute * 60 + 60) * 1000)
            store.maintain(now: now)
            for index in targets.indices { try replace(index) }
            if minute % 5 == 4 {
                let (resident, known) = (residentBytes() >> 20, store.statistics.seriesCount)
                print("after \(minute + 1) min: \(resident) MiB resident, \(known) series with samples, \(next) so far")
            }
        }
    }

    private func append(at second: Int) throws {
        let time = Timestamp(milliseconds: began + Int64(second) * 1000)
        for target in targets {
            var appender = target.lane.beginAppend(at: time)
            for slot in target.slots { appender.append(slot, Double(second)) }
            try appender.commit()
        }
    }

    private mutating func replace(_ index: Int) throws {
        for _ in 0..<Self.perTarget / 10 {
            let place = targets[index].oldest
            targets[index].lane.retire(targets[index].slots[place])
            targets[index].slots[place] = try makeSlot(targets[index].lane)
            targets[index].oldest = (place + 1) % Self.perTarget
        }
    }
}
