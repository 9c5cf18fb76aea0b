internal import CurlHTTP
internal import Exposition
internal import MetricModel
internal import Synchronization

/// A target with its loop, its lane and the state of its scrapes. May be shared between threads.
final class RunningTarget: Sendable {
    /// How long it takes to store a scrape, judged by the last one.
    enum Pace: Equatable, Sendable {
        case unknown
        /// Too long for the thread that also scrapes other targets.
        case unhurried
        /// Short enough for the scraping thread.
        case quick
        /// So long that a thread of its own stores it.
        case slow
    }

    /// The format for the last `Content-Type`, which rarely changes.
    struct KnownFormat: Sendable {
        var header: String?
        var choice: ContentType.Choice
    }

    /// The state of the target.
    struct State: Sendable {
        var target: ScrapeTarget
        var pool: RunningPool
        var loop: ScrapeLoop
        var health = TargetSnapshot.Health.unknown
        var lastError = ""
        /// Samples of the last scrape that the store rejected.
        var lastRefused = 0
        var lastScrape: Timestamp?
        var lastDuration = 0.0
        /// Size of the last body as received, used to size the next buffer and timeout.
        var bodyBytes = 0
        var pace = Pace.unknown
        var format: KnownFormat?
        /// `nil` if it must be created for each scrape, or has not been created yet.
        var request: PreparedRequest?

        /// Applies a configuration.
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
    /// Locked while a scrape is written. Otherwise only metadata is read under it.
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

    /// Passes an event to the loop.
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

/// The compiled settings of a job. Immutable; shared by its targets.
///
/// A class, because each scrape uses it: a struct would copy about thirty references.
final class RunningPool: Sendable {
    let pool: ScrapePool
    let relabelling: Relabelling
    let metricRelabelling: Relabelling
    /// Changes when samples must be processed differently.
    let generation: Int
    /// Why no target of the pool is scraped; `nil` if they are scraped.
    let refusal: String?

    /// Compiles `pool`. Keeps the generation of `previous` if samples are processed as before.
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

    /// The same pool with the given reason not to scrape its targets, or with none.
    func refusing(_ reason: String?) -> RunningPool {
        reason == refusal ? self : RunningPool(self, refusal: reason)
    }

    /// How the samples of `target` are stored.
    func rules(for target: ScrapeTarget, _ settings: ScrapeRunner.Settings) -> SampleRules {
        let storesExtraReports = pool.storesExtraReports ?? settings.storesExtraReports
        return SampleRules(
            targetLabels: target.labels, honorsLabels: pool.honorsLabels, honorsTimestamps: pool.honorsTimestamps,
            tracksTimestampStaleness: pool.tracksTimestampStaleness, relabelling: metricRelabelling,
            limits: pool.limits, histograms: target.histograms, zeroesStarts: settings.zeroesStarts,
            generation: generation,
            allowsUTF8Names: pool.names.validation == .utf8,
            extraTimeout: storesExtraReports ? target.timeout : nil)
    }
}
