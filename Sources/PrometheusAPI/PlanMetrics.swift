internal import Instrumentation
internal import PromQL

/// Metrics of the plan cache, updated when metrics are read.
enum PlanMetrics {
    static func show(_ plans: PlanCache, in registry: Registry) {
        let hits = registry.counter("tribune_query_plan_hits_total", "Queries whose plan was in the cache.")
        let misses = registry.counter("tribune_query_plan_misses_total", "Queries whose plan was not in the cache.")
        let evictions = registry.counter(
            "tribune_query_plan_evictions_total", "Plans removed from the cache to make room.")
        let count = registry.gauge("tribune_query_plans", "Plans in the cache.")
        let bytes = registry.gauge("tribune_query_plan_bytes", "Approximate memory of the plan cache, in bytes.")
        registry.onSnapshot {
            let statistics = plans.statistics
            hits.raise(to: Double(statistics.hits))
            misses.raise(to: Double(statistics.misses))
            evictions.raise(to: Double(statistics.evictions))
            count.set(Double(statistics.count))
            bytes.set(Double(statistics.bytes))
        }
    }
}
