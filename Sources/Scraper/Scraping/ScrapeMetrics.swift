internal import Instrumentation
internal import Runtime

/// The scraper's own metrics. May be used from any thread.
struct ScrapeMetrics: Sendable {
    let succeeded: Counter
    let failed: Counter
    let samples: Counter
    let refusedSamples: Counter
    let bodyBytes: Counter
    let duration: Histogram
    let lateness: Histogram
    let discoveryProblems: Counter
    let handedOver: Counter

    init(_ registry: Registry) {
        let outcome = "Scrapes that ended, by outcome."
        succeeded = registry.counter("tribune_scrapes_total", outcome, labels: ["outcome": "success"])
        failed = registry.counter("tribune_scrapes_total", outcome, labels: ["outcome": "failure"])
        samples = registry.counter("tribune_scrape_samples_total", "Samples that targets exposed.")
        refusedSamples = registry.counter(
            "tribune_scrape_refused_samples_total",
            "Samples that were not stored: duplicates, out of order, or too far in the future.")
        bodyBytes = registry.counter("tribune_scrape_body_bytes_total", "Bytes of scraped bodies, decompressed.")
        duration = registry.histogram(
            "tribune_scrape_duration_seconds", "Time from the start of a scrape to its commit.")
        lateness = registry.histogram(
            "tribune_scrape_lateness_seconds", "How long after its due time a scrape began.")
        handedOver = registry.counter(
            "tribune_scrape_handed_over_total",
            "Scrapes that a worker stored because they would have delayed other targets of their thread.")
        discoveryProblems = registry.counter(
            "tribune_scrape_discovery_problems_total", "Discovered targets that could not be used.")
    }

    /// Exports the memory of the bodies in progress.
    func watch(_ registry: Registry, _ budget: ByteBudget) {
        let used = registry.gauge(
            "tribune_scrape_body_memory_bytes", "Memory of the bodies that are received or wait to be stored.")
        let refusals = registry.counter(
            "tribune_scrape_body_memory_refusals_total", "Bodies refused because the memory for bodies was used up.")
        registry.onSnapshot {
            used.set(Double(budget.used))
            refusals.raise(to: Double(budget.refusals))
        }
    }

    /// Exports the number of targets by health.
    func watch(_ registry: Registry, _ healths: @escaping @Sendable () -> [TargetSnapshot.Health]) {
        let help = "Targets by the outcome of their last scrape."
        let gauges = [TargetSnapshot.Health.up, .down, .unknown].map {
            ($0, registry.gauge("tribune_scrape_targets", help, labels: ["health": $0.rawValue]))
        }
        registry.onSnapshot {
            let healths = healths()
            for (health, gauge) in gauges { gauge.set(Double(healths.count { $0 == health })) }
        }
    }
}
