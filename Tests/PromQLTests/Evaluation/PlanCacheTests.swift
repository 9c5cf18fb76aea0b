import MetricModel
import PromQL
import TestSupport
import Testing

@Suite struct PlanCacheTests {
    private let options = EngineOptions()

    private func ask(_ cache: PlanCache, _ text: String, _ options: EngineOptions? = nil) throws -> ObjectIdentifier {
        let plan = try cache.take(text, options: options ?? self.options)
        let identity = ObjectIdentifier(plan)
        _ = try plan.instant(at: .epoch, from: MemorySource())
        cache.giveBack(plan, text, options: options ?? self.options)
        return identity
    }

    @Test func aQueryThatIsAskedAgainFindsItsPlan() throws {
        let cache = PlanCache(features: .standard)
        var shorter = options
        shorter.lookback = .minutes(1)
        let first = try ask(cache, "a + b")
        #expect(try ask(cache, "a + b") == first)
        #expect(try ask(cache, "a - b") != first)
        // A plan is valid for the options that it was created with.
        #expect(try ask(cache, "a + b", shorter) != first)
        #expect(cache.statistics.hits == 1)
        #expect(cache.statistics.misses == 3)
        #expect(cache.statistics.count == 3)
        #expect(cache.statistics.bytes > 0)
    }

    @Test func aPlanIsLentToOneAtATime() throws {
        let cache = PlanCache(features: .standard)
        let first = try cache.take("a", options: options)
        let second = try cache.take("a", options: options)
        #expect(first !== second)
        cache.giveBack(first, "a", options: options)
        cache.giveBack(second, "a", options: options)
        #expect(cache.statistics.count == 1)
        #expect(cache.statistics.evictions == 0)
        #expect(try cache.take("a", options: options) === second)
        #expect(cache.statistics.bytes == 0)
    }

    @Test func whatWasNotAskedForLongestGoesFirst() throws {
        let cache = PlanCache(features: .standard, mostPlans: 2)
        let first = try ask(cache, "a")
        _ = try ask(cache, "b")
        #expect(try ask(cache, "a") == first)
        _ = try ask(cache, "c")
        #expect(cache.statistics.evictions == 1)
        #expect(try ask(cache, "a") == first)
        let misses = cache.statistics.misses
        _ = try ask(cache, "b")
        #expect(cache.statistics.misses == misses + 1)
    }

    @Test func plansStayWithinTheirMemory() throws {
        let cache = PlanCache(features: .standard, mostPlans: 100, mostBytes: 10_000)
        for number in 0..<50 { _ = try ask(cache, "a\(number)") }
        #expect(cache.statistics.bytes <= 10_000)
        #expect(cache.statistics.count > 1)
        #expect(cache.statistics.evictions == 50 - cache.statistics.count)
        // A plan that alone is too large is not kept, and evicts no other.
        let count = cache.statistics.count
        _ = try ask(cache, "a" + String(repeating: " ", count: 20_000))
        #expect(cache.statistics.count == count)
    }

    @Test func whatIsNoExpressionIsAnErrorAndIsNotKept() throws {
        let cache = PlanCache(features: .standard)
        #expect(throws: ParseError.self) { try cache.take("a +", options: options) }
        #expect(cache.statistics.count == 0)
    }
}
