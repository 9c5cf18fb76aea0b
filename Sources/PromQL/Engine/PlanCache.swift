internal import Synchronization

/// Plans of ad hoc queries that are likely to be repeated, as by dashboards, with everything that they know about
/// series.
///
/// One evaluation uses a plan at a time. A concurrent evaluation of the same query gets another plan. If there are too
/// many plans, or they use too much memory, the least recently used are removed. May be used from any thread.
public final class PlanCache: Sendable {
    /// Counters and contents of the cache.
    public struct Statistics: Equatable, Sendable {
        /// Queries for which a plan existed.
        public var hits = 0
        /// Queries for which a plan was created.
        public var misses = 0
        /// Plans that were evicted.
        public var evictions = 0
        /// Unused plans in the cache.
        public var count = 0
        /// Their approximate memory.
        public var bytes = 0
    }

    private struct Key: Hashable {
        var text: String
        var options: EngineOptions
    }

    private struct Entry {
        var plan: PreparedQuery
        var bytes: Int
        /// When it was last returned, counted in returned plans.
        var age: Int
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        var clock = 0
        var statistics = Statistics()
    }

    private let features: ParserFeatures
    private let mostPlans: Int
    private let mostBytes: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - features: the features that are accepted.
    ///   - mostPlans: limit of the number of plans.
    ///   - mostBytes: limit of their approximate memory.
    public init(features: ParserFeatures, mostPlans: Int = 256, mostBytes: Int = 64 << 20) {
        self.features = features
        self.mostPlans = max(mostPlans, 0)
        self.mostBytes = max(mostBytes, 0)
    }

    /// The counters so far.
    public var statistics: Statistics {
        state.withLock { state in
            var result = state.statistics
            result.count = state.entries.count
            return result
        }
    }

    /// A plan for `text` for exclusive use. Return it with ``giveBack(_:_:options:)`` after an evaluation.
    public func take(_ text: String, options: EngineOptions) throws(ParseError) -> PreparedQuery {
        let key = Key(text: text, options: options)
        let known = state.withLock { state -> Lent? in
            guard let entry = state.entries.removeValue(forKey: key) else {
                state.statistics.misses += 1
                return nil
            }
            state.statistics.hits += 1
            state.statistics.bytes -= entry.bytes
            return Lent(plan: entry.plan)
        }
        if let known { return known.plan }
        return QueryEngine(options: options).prepare(try Expression.parse(text, features: features))
    }

    /// Returns a plan from ``take(_:options:)`` for `text` and `options`. The caller must not use the plan any more.
    public func giveBack(_ plan: PreparedQuery, _ text: String, options: EngineOptions) {
        let bytes = plan.retainedBytes + 2 * text.utf8.count + 2048
        guard bytes <= mostBytes, mostPlans > 0 else { return }
        let lent = Lent(plan: plan)
        let gone = state.withLock { state -> Gone in
            state.clock += 1
            let key = Key(text: text, options: options)
            let former = state.entries.updateValue(
                Entry(plan: lent.plan, bytes: bytes, age: state.clock), forKey: key)
            state.statistics.bytes += bytes - (former?.bytes ?? 0)
            var gone = Gone(plans: former.map { [$0.plan] } ?? [])
            while state.entries.count > mostPlans || state.statistics.bytes > mostBytes {
                guard let oldest = state.entries.min(by: { $0.value.age < $1.value.age }) else { break }
                state.entries[oldest.key] = nil
                state.statistics.bytes -= oldest.value.bytes
                state.statistics.evictions += 1
                gone.plans.append(oldest.value.plan)
            }
            return gone
        }
        // Deallocating plans takes time, so it happens outside the lock.
        _ = consume gone
    }

    /// A plan that moves through the lock.
    ///
    /// `@unchecked`: a plan is owned by the evaluation that took it out of the table, and moves in and out only under
    /// the lock.
    private struct Lent: @unchecked Sendable {
        let plan: PreparedQuery
    }

    /// Plans removed from the table. `@unchecked`: as for `Lent`.
    private struct Gone: @unchecked Sendable {
        var plans: [PreparedQuery]
    }
}
