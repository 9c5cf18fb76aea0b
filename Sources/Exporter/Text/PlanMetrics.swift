internal import Instrumentation
internal import PromQL

/// What became of the plans of ad hoc queries, refreshed when metrics are read.
enum PlanMetrics {
    static func show(_ plans: PlanCache, in registry: Registry) {
        let hits = registry.counter("tribune_query_plan_hits_total", "Queries for which a plan was kept.")
        let misses = registry.counter("tribune_query_plan_misses_total", "Queries for which a plan had to be made.")
        let evictions = registry.counter("tribune_query_plan_evictions_total", "Plans dropped for want of room.")
        let count = registry.gauge("tribune_query_plans", "Plans kept for queries that are asked again.")
        let bytes = registry.gauge("tribune_query_plan_bytes", "About how much memory kept plans take, in bytes.")
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
