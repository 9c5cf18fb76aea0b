import MetricModel
import MetricStore
import PromQL
import TestSupport
import Testing

/// A store whose series come and go, reset, pause and restart, and the same samples in a plain table.
private struct ChurningWorld {
    struct Series {
        var labels: Labels
        var slot: RingSlot
        var value = 0.0
        var isCounter: Bool
        /// The percentage of rows without a sample.
        var gaps: Int
    }

    struct Stream {
        var lane: Lane
        var name: String
        var series: [Series] = []
    }

    var generator: SeededGenerator
    let store: MetricStore
    let table = MemorySource()
    var streams: [Stream] = []
    var now: Int64 = 0
    private var laneNumber = 0

    init(generator: SeededGenerator) throws {
        self.generator = generator
        store = try MetricStore(StoreConfiguration(), registry: nil)
        for _ in 0..<3 { try addStream() }
    }

    mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &generator) }

    private mutating func addStream() throws {
        laneNumber += 1
        let name = "lane \(laneNumber)"
        streams.append(Stream(lane: try store.openLane(name), name: name))
        for _ in 0..<8 { try addSeries(to: streams.count - 1) }
    }

    private mutating func addSeries(to index: Int) throws {
        let isCounter = roll(3) > 0
        var labels: Labels = [
            "__name__": isCounter ? ["a_total", "b_total"][roll(2)] : "g", "job": "j\(roll(2))",
            "instance": "i\(index)-\(roll(4))",
        ]
        if roll(4) == 0 { labels.set("__name__", to: "h_bucket") }
        if labels.metricName == "h_bucket" { labels.set("le", to: ["0.1", "1", "+Inf"][roll(3)]) }
        if streams.contains(where: { $0.series.contains { $0.labels == labels } }) { return }
        let slot = try streams[index].lane.slot(for: labels)
        streams[index].series.append(
            Series(labels: labels, slot: slot, isCounter: isCounter, gaps: roll(4) == 0 ? 30 : 0))
    }

    /// One row of every stream, with what happens in between.
    mutating func step() throws {
        now += 15_000
        for index in streams.indices {
            // A target is scraped at its own time, and may be down.
            if roll(25) == 0 { continue }
            let time = now + Int64(index * 1000 + roll(40))
            var row = streams[index].lane.beginAppend(at: Timestamp(milliseconds: time))
            for position in streams[index].series.indices {
                let series = streams[index].series[position]
                if roll(100) < series.gaps { continue }
                var value = series.value + Double(roll(1000)) / 8
                if !series.isCounter { value -= 60 }
                if roll(150) == 0 { value = 0 }
                streams[index].series[position].value = value
                write(roll(200) == 0 ? .staleMarker : value, series, time, &row)
            }
            try row.commit()
        }
        if roll(12) == 0 { try addSeries(to: roll(streams.count)) }
        if roll(12) == 0 { try endSeries() }
        if roll(60) == 0 { try restartStream() }
    }

    private func write(_ value: Double, _ series: Series, _ time: Int64, _ row: inout Appender) {
        guard row.append(series.slot, value) == .appended else { return }
        table.append(.init(time: Timestamp(milliseconds: time), value: value), to: series.labels)
    }

    private mutating func endSeries() throws {
        let index = roll(streams.count)
        guard !streams[index].series.isEmpty else { return }
        let series = streams[index].series.remove(at: roll(streams[index].series.count))
        let time = now + 2500
        var row = streams[index].lane.beginAppend(at: Timestamp(milliseconds: time))
        write(.staleMarker, series, time, &row)
        try row.commit()
        streams[index].lane.retire(series.slot)
    }

    /// Closes a lane; its series continue in a new one.
    private mutating func restartStream() throws {
        let index = roll(streams.count)
        streams[index].lane.close()
        laneNumber += 1
        streams[index].lane = try store.openLane("lane \(laneNumber)")
        for position in streams[index].series.indices {
            streams[index].series[position].slot = try streams[index].lane.slot(
                for: streams[index].series[position].labels)
        }
    }

    // MARK: Expressions

    private mutating func selector() -> String {
        [
            "a_total", "b_total", "g", "h_bucket", "a_total{job=\"j0\"}", "{__name__=~\"a_total|b_total\"}",
            "g{instance=~\"i0.*\"}", "h_bucket{le!=\"1\"}", "{job=\"j1\"}",
        ][roll(9)]
    }

    private mutating func leaf() -> String {
        let selector = selector()
        let window = ["1m", "5m", "90s", "17m"][roll(4)]
        let function = [
            "rate", "increase", "delta", "irate", "idelta", "sum_over_time", "avg_over_time", "min_over_time",
            "max_over_time", "count_over_time", "last_over_time", "first_over_time", "present_over_time", "changes",
            "resets", "deriv", "stddev_over_time", "rate", "rate", "increase",
        ][roll(20)]
        let shift = ["", "", "", " offset 2m", " offset -1m", " @ 900", " @ end()"][roll(7)]
        switch roll(8) {
        case 0, 1: return selector + shift
        case 2: return "quantile_over_time(0.7, \(selector)[\(window)]\(shift))"
        case 3: return "timestamp(\(selector)\(shift))"
        default: return "\(function)(\(selector)[\(window)]\(shift))"
        }
    }

    mutating func expression(depth: Int = 2) -> String {
        if depth == 0 { return leaf() }
        let inner = expression(depth: depth - 1)
        let groups = ["", "by (job)", "by (instance, job)", "by (__name__)", "without (instance)", "without (le)"]
        let group = groups[roll(groups.count)]
        let aggregation = ["sum", "sum", "avg", "count", "min", "max", "stddev", "group"][roll(8)]
        switch roll(12) {
        case 9:
            let matching = ["", " on (instance, job)", " ignoring (le)"][roll(3)]
            return "(\(inner)) \(["and", "or", "unless"][roll(3)])\(matching) (\(expression(depth: depth - 1)))"
        case 10:
            return "(\(inner)) \(["/", "-", "<"][roll(3)]) (\(roll(2) == 0 ? inner : expression(depth: depth - 1)))"
        case 11:
            let buckets = ["h_bucket", "rate(h_bucket[5m])", "{job=\"j1\"}", "\(inner)"][roll(4)]
            return "histogram_quantile(0.\(roll(9)), \(buckets))"
        case 0: return "abs(\(inner))"
        case 1: return "sum by (job) (\(inner)) / sum by (job) (\(expression(depth: depth - 1)))"
        case 2: return "(\(inner)) > 20"
        case 3: return "histogram_quantile(0.9, sum by (le, job) (rate(h_bucket[5m])))"
        case 4: return "max_over_time((\(inner))[4m:1m])"
        case 5: return "\(aggregation) \(group) (\(leaf()))"
        default: return "\(aggregation) \(group) (\(inner))"
        }
    }
}

/// Evaluation over the store must have the same result as evaluation over plain samples.
@Suite struct StoreEvaluationTests {
    private func outcome(_ body: () throws(QueryError) -> QueryResult) -> Result<QueryResult, QueryError> {
        do {
            return .success(try body())
        } catch {
            return .failure(error)
        }
    }

    /// Every number of a result, by series and time.
    private func samples(_ value: QueryValue) -> [String: Double] {
        switch value {
        case .vector(let elements):
            Dictionary(elements.map { ("\($0.labels) @ \($0.timestamp)", $0.value) }) { first, _ in first }
        case .matrix(let series):
            Dictionary(
                series.flatMap { series in
                    series.timestamps.indices.map { ("\(series.labels) @ \(series.timestamps[$0])", series.values[$0]) }
                }
            ) { first, _ in first }
        case .scalar(let number, _): ["scalar": number]
        case .string(let text, _): [text: 0]
        }
    }

    private func agree(_ left: Double, _ right: Double, exactly: Bool) -> Bool {
        if left.isNaN || right.isNaN { return left.isNaN == right.isNaN }
        if left == right { return true }
        return !exactly && (left - right).magnitude <= 1e-9 * max(left.magnitude, right.magnitude, 1)
    }

    /// - Parameter exactly: whether samples are added in the same order, so that not even the last bit may differ.
    private func compare(
        _ left: Result<QueryResult, QueryError>, _ right: Result<QueryResult, QueryError>, exactly: Bool, _ note: String
    ) {
        switch (left, right) {
        case (.success(let left), .success(let right)):
            let (first, second) = (samples(left.value), samples(right.value))
            #expect(Set(first.keys) == Set(second.keys), "\(note)")
            for (key, value) in first {
                guard let other = second[key] else { continue }
                #expect(agree(value, other, exactly: exactly), "\(key): \(note)")
            }
            #expect(left.statistics.totalSamples == right.statistics.totalSamples, "\(note)")
            #expect(
                Set(left.annotations.warnings(in: "") + left.annotations.infos(in: ""))
                    == Set(right.annotations.warnings(in: "") + right.annotations.infos(in: "")), "\(note)")
        case (.failure, .failure): break
        default: Issue.record("\(left) but \(right): \(note)")
        }
    }

    @Test func aStandingPlanOverChurningSeriesGivesWhatPlainSamplesGive() throws {
        var world = try ChurningWorld(generator: SeededGenerator())
        let seed = world.generator.seed
        var plans: [(text: String, expression: PromQL.Expression, kept: PreparedQuery)] = []
        let engine = QueryEngine()
        let cache = PlanCache(features: .all, mostPlans: 8)
        for round in 0..<240 {
            try world.step()
            if round % 6 == 0 {
                let text = world.expression()
                let expression = try PromQL.Expression.parse(text, features: .all)
                plans.append((text, expression, engine.prepare(expression)))
                if plans.count > 12 { plans.removeFirst() }
            }
            if round % 3 != 0 { continue }
            for (text, expression, kept) in plans {
                let now = Timestamp(milliseconds: world.now - Int64(world.roll(4)) * 20_000)
                let note = "\(text) at \(now), round \(round), seed \(seed)"
                let standing = outcome { () throws(QueryError) in try kept.instant(at: now, from: world.store) }
                compare(
                    standing,
                    outcome { () throws(QueryError) in
                        try engine.instant(expression, at: now, from: world.store)
                    }, exactly: true, note)
                compare(
                    standing,
                    outcome { () throws(QueryError) in
                        try engine.instant(expression, at: now, from: world.table)
                    }, exactly: false, note)
                let lent = try cache.take(text, options: engine.options)
                compare(
                    standing, outcome { () throws(QueryError) in try lent.instant(at: now, from: world.store) },
                    exactly: true, note)
                cache.giveBack(lent, text, options: engine.options)
            }
        }
        #expect(cache.statistics.hits > 0 && cache.statistics.evictions > 0)
    }

    @Test func aRangeQueryOverTheStoreGivesWhatPlainSamplesGive() throws {
        var world = try ChurningWorld(generator: SeededGenerator())
        let seed = world.generator.seed
        for _ in 0..<170 { try world.step() }
        let engine = QueryEngine()
        for _ in 0..<150 {
            let text = world.expression()
            let expression = try PromQL.Expression.parse(text, features: .all)
            let start = Timestamp(milliseconds: Int64(world.roll(Int(world.now))))
            let end = start + .milliseconds(Int64(world.roll(1_200_000)))
            let step = Milliseconds(rawValue: [5000, 15_000, 61_000, 300_000][world.roll(4)])
            compare(
                outcome { () throws(QueryError) in
                    try engine.range(expression, start: start, end: end, step: step, from: world.store)
                },
                outcome { () throws(QueryError) in
                    try engine.range(expression, start: start, end: end, step: step, from: world.table)
                }, exactly: false, "\(text) from \(start) to \(end) by \(step), seed \(seed)")
        }
    }
}
