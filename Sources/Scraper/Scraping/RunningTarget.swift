internal import CurlHTTP
internal import Exposition
internal import MetricModel
internal import Synchronization

/// A target with its loop, its lane and what is known of its scrapes. May be shared between threads.
final class RunningTarget: Sendable {
    /// How long it takes to store a scrape, by the last one.
    enum Pace: Equatable, Sendable {
        case unknown
        /// Too long for the thread that scrapes others too.
        case unhurried
        /// Short enough for it.
        case quick
        /// So long that it is left to a thread of its own.
        case slow
    }

    /// What was made of the last `Content-Type`, which hardly ever changes.
    struct KnownFormat: Sendable {
        var header: String?
        var choice: ContentType.Choice
    }

    /// What is known of the target.
    struct State: Sendable {
        var target: ScrapeTarget
        var pool: RunningPool
        var loop: ScrapeLoop
        var health = TargetSnapshot.Health.unknown
        var lastError = ""
        /// Samples of the last scrape that the store did not take.
        var lastRefused = 0
        var lastScrape: Timestamp?
        var lastDuration = 0.0
        /// Size of the last body as it came, to have room and patience for the next one.
        var bodyBytes = 0
        var pace = Pace.unknown
        var format: KnownFormat?
        /// `nil` where it has to be made anew for each scrape, or has not been yet.
        var request: PreparedRequest?

        /// Takes over a configuration.
        mutating func configure(_ target: ScrapeTarget, _ pool: RunningPool) {
            self.target = target
            self.pool = pool
            format = nil
            request = nil
        }
    }

    let identity: ScrapeTarget.Identity
    /// The thread that scrapes it.
    let home: ScrapeInbox
    let state: Mutex<State>
    /// Held while a scrape is written; only metadata is read beside that.
    let writer: Mutex<TargetWriter>

    init(
        _ target: ScrapeTarget, _ timing: ScrapeLoop.Timing, pool: RunningPool, home: ScrapeInbox,
        writer: sending TargetWriter
    ) {
        identity = target.identity
        self.home = home
        state = Mutex(State(target: target, pool: pool, loop: ScrapeLoop(timing)))
        self.writer = Mutex(writer)
    }

    /// Lets the loop take an event.
    func step(_ event: (inout ScrapeLoop) -> [ScrapeLoop.Action]) -> [ScrapeLoop.Action] {
        state.withLock { event(&$0.loop) }
    }

    var snapshot: TargetSnapshot {
        state.withLock { state in
            TargetSnapshot(
                discoveredLabels: state.target.discoveredLabels, labels: state.target.labels,
                scrapePool: identity.pool, scrapeURL: identity.url, lastError: state.lastError,
                lastScrape: state.lastScrape, lastScrapeDuration: state.lastDuration, health: state.health,
                scrapeInterval: state.target.interval, scrapeTimeout: state.target.timeout)
        }
    }
}

/// A job's settings, compiled. Immutable; shared by its targets.
///
/// A class, since each scrape asks for it: as a struct it would be a copy of some thirty references.
final class RunningPool: Sendable {
    let pool: ScrapePool
    let relabelling: Relabelling
    let metricRelabelling: Relabelling
    /// Changes when samples are treated differently.
    let generation: Int
    /// Why no target of the pool is scraped.
    let refusal: String?

    /// Compiles `pool`; keeps the generation of `previous` where samples are treated as before.
    init(_ pool: ScrapePool, previous: RunningPool?) throws(RelabelError) {
        self.pool = pool
        relabelling = try Relabelling(pool.relabelRules)
        metricRelabelling = try Relabelling(pool.metricRelabelRules)
        let isSame =
            previous.map {
                $0.pool.metricRelabelRules == pool.metricRelabelRules && $0.pool.limits == pool.limits
                    && $0.pool.honorsLabels == pool.honorsLabels && $0.pool.honorsTimestamps == pool.honorsTimestamps
                    && $0.pool.tracksTimestampStaleness == pool.tracksTimestampStaleness
                    && $0.pool.histograms == pool.histograms
            } ?? false
        generation = previous.map { isSame ? $0.generation : $0.generation + 1 } ?? 0
        refusal = nil
    }

    private init(_ other: RunningPool, refusal: String?) {
        pool = other.pool
        relabelling = other.relabelling
        metricRelabelling = other.metricRelabelling
        generation = other.generation
        self.refusal = refusal
    }

    /// The same pool, whose targets are not scraped for the reason given, or are where there is none.
    func refusing(_ reason: String?) -> RunningPool {
        reason == refusal ? self : RunningPool(self, refusal: reason)
    }

    /// - Parameter zeroesStarts: Whether counters begin with a zero at the time since when they count.
    func rules(for labels: Labels, zeroesStarts: Bool) -> SampleRules {
        SampleRules(
            targetLabels: labels, honorsLabels: pool.honorsLabels, honorsTimestamps: pool.honorsTimestamps,
            tracksTimestampStaleness: pool.tracksTimestampStaleness, relabelling: metricRelabelling,
            limits: pool.limits, histograms: pool.histograms, zeroesStarts: zeroesStarts, generation: generation)
    }
}
