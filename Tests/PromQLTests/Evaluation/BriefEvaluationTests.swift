import MetricModel
import MetricStore
import PromQL
import TestSupport
import Testing

/// A repeated query is evaluated without waiting and without lookups, or is refused.
@Suite struct BriefEvaluationTests {
    private let store: MetricStore
    private let lane: Lane

    init() throws {
        store = try MetricStore(StoreConfiguration(), registry: nil)
        lane = try store.openLane("lane")
        let slots = try (0..<3).map { try lane.slot(for: ["__name__": "m", "i": "\($0)"]) }
        for time in 0..<20 {
            var row = lane.beginAppend(at: Timestamp(milliseconds: Int64(time) * 1000))
            for (index, slot) in slots.enumerated() { row.append(slot, Double(time * index)) }
            try row.commit()
        }
    }

    private func plan(_ text: String) throws -> PreparedQuery {
        QueryEngine().prepare(try Expression.parse(text, features: .standard))
    }

    private func value(
        _ plan: PreparedQuery, _ effort: EvaluationEffort, from source: (any Queryable)? = nil
    ) throws(QueryError) -> [String] {
        let result = try plan.range(
            start: Timestamp(milliseconds: 10_000), end: Timestamp(milliseconds: 19_000), step: .seconds(1),
            from: source ?? store, effort: effort)
        guard case .matrix(let series) = result.value else { return [] }
        return series.map { "\($0.labels) \($0.timestamps) \($0.values)" }
    }

    /// A brief evaluation has a millisecond, which a busy machine may take away.
    private func brief(_ plan: PreparedQuery) -> [String]? {
        for _ in 0..<1000 {
            if let value = try? value(plan, .brief) { return value }
        }
        return nil
    }

    @Test(arguments: ["m", "sum by (i) (rate(m[5s]))", "max_over_time(m[3s]) > 5", "m / on (i) m", "1 + 1"])
    func theSecondEvaluationMayBeBrief(text: String) throws {
        let plan = try plan(text)
        let full = try value(plan, .full)
        #expect(!full.isEmpty)
        #expect(brief(plan) == full)
    }

    @Test func aBriefEvaluationSeesNewSamples() throws {
        let plan = try plan("sum(m)")
        let before = try value(plan, .full)
        var row = lane.beginAppend(at: Timestamp(milliseconds: 20_000))
        row.append(try lane.slot(for: ["__name__": "m", "i": "2"]), 1000)
        try row.commit()
        let instant = try plan.instant(at: Timestamp(milliseconds: 20_000), from: store)
        guard case .vector(let elements) = instant.value else { return }
        #expect(elements.first?.value == 1019)
        #expect(brief(plan) == before)
    }

    @Test func nothingIsLookedUp() throws {
        let plan = try plan("m")
        #expect(throws: QueryError.timeout) { try value(plan, .brief) }
        _ = try value(plan, .full)
        #expect(brief(plan) != nil)
        // The series of the metric have changed: they must be looked up again.
        _ = try lane.slot(for: ["__name__": "m", "i": "new"])
        for _ in 0..<10 { #expect(throws: QueryError.timeout) { try value(plan, .brief) } }
        _ = try value(plan, .full)
        #expect(brief(plan) != nil)
    }

    @Test func sourcesThatMustLookThingsUpAreNotBrief() throws {
        let plan = try plan("m")
        let source = MemorySource()
        _ = try value(plan, .full, from: source)
        #expect(throws: QueryError.timeout) { try value(plan, .brief, from: source) }
    }

    @Test func onlyAPlanThatWasQuickIsTakenForABriefEvaluation() throws {
        let options = EngineOptions()
        let cache = PlanCache(features: .standard)
        func take(_ steps: Int64, _ milliseconds: Int64) -> PreparedQuery? {
            cache.takeBrief("m", options: options, steps: steps, milliseconds: milliseconds)
        }
        func giveBack(_ cost: EvaluationCost?) throws {
            cache.giveBack(try cache.take("m", options: options), "m", options: options, cost: cost)
        }
        #expect(take(1, 0) == nil)
        try giveBack(nil)
        #expect(take(1, 0) == nil)
        try giveBack(EvaluationCost(nanoseconds: 900_000, values: 1, steps: 10, milliseconds: 100))
        #expect(take(1, 0) == nil)
        try giveBack(EvaluationCost(nanoseconds: 1000, values: 100_000, steps: 10, milliseconds: 100))
        #expect(take(1, 0) == nil)
        try giveBack(EvaluationCost(nanoseconds: 1000, values: 10, steps: 10, milliseconds: 100))
        #expect(take(11, 100) == nil)
        #expect(take(10, 101) == nil)
        #expect(take(10, 100) != nil)
        // It is lent now.
        #expect(take(10, 100) == nil)
    }
}
