public import CurlHTTP
internal import Discovery
public import Instrumentation
public import MetricModel
public import MetricStore
public import Runtime
internal import Synchronization

/// Scrapes every target on its schedule into the store. The shell around ``ScrapeLoop``. May be called from any thread.
///
/// One thread maintains the list of targets, one or a few scrape, and some workers store what takes long. Created and
/// stopped by the composition root.
public final class ScrapeRunner: Sendable {
    /// Settings from the composition root.
    public struct Settings: Sendable {
        /// The constitution hash that targets must have; `nil` disables the check.
        public var constitutionalHash: String?
        /// The number of scraping threads. Each has a share of the targets.
        public var loops = 1
        /// The number of worker threads. They store bodies that would delay other targets: new, long or much changed
        /// ones.
        public var workers = 2
        /// The body size limit of every target, compressed or not, regardless of `body_size_limit`.
        public var maximumBodyBytes = 256 << 20
        /// The memory limit for all bodies that are received, decompressed or wait to be stored.
        public var maximumBodyMemory = 512 << 20
        /// The limit of samples per body and of series per target, regardless of `sample_limit`.
        public var maximumSeriesPerTarget = 1_000_000
        /// Whether counters start with a zero at their start timestamp (`created-timestamp-zero-ingestion`).
        public var zeroesStarts = false
        /// Whether scrapes of jobs without `extra_scrape_metrics` also store their timeout, limit of samples and size.
        public var storesExtraReports = false
        /// The `User-Agent` header.
        public var userAgent = "Tribune"

        /// The defaults.
        public init(constitutionalHash: String? = nil) {
            self.constitutionalHash = constitutionalHash
        }
    }

    /// Called for each committed scrape with the lane, the time of its samples, and the monotonic nanoseconds of the
    /// commit.
    public typealias CommitObserver = @Sendable (LaneID, Timestamp, _ monotonicNanoseconds: Int64) -> Void

    enum Command: Sendable {
        case configure([ScrapePool], reply: Mailbox<RelabelError?>)
        case ended(RunningTarget)
        /// Discovery found changes.
        case discovered
        case probe(Pulse)
    }

    enum Work: Sendable {
        case scraped(ScrapeInHand, ScrapeAnswer)
        case end(RunningTarget, at: Timestamp)
        case probe(Pulse)
    }

    private struct Threads: Sendable {
        var roster: WorkerThread?
        var loops: [WorkerThread] = []
        var workers: [WorkerThread] = []
    }

    let store: MetricStore
    let settings: Settings
    let metrics: ScrapeMetrics
    let logger: Logger
    let onCommit: CommitObserver
    let bodyBudget: ByteBudget
    let commands: Mailbox<Command>
    /// Bounded by the number of targets: each has at most one scrape in progress.
    let work = Mailbox<Work>(capacity: 1 << 20)
    /// Scrapes that take long. They have a thread of their own, so that other targets do not wait for them.
    let slowWork = Mailbox<Work>(capacity: 1 << 20)
    let published = PublishedTargets()
    let isStopping = Atomic(false)
    /// One for each scraping thread.
    let inboxes: [ScrapeInbox]
    let discovery: DiscoveryRunner
    let notice: DiscoveryNotice
    private let threads = Mutex(Threads())
    private let pulse = (targets: Pulse("scrape targets"), work: Pulse("storing scrapes"), slow: Pulse("long scrapes"))

    /// A runner without targets. ``reload(_:)`` adds them.
    public init(
        store: MetricStore, settings: Settings = Settings(), registry: Registry, logger: Logger = .silent,
        onCommit: @escaping CommitObserver = { _, _, _ in }
    ) throws(HTTPFailure) {
        self.store = store
        self.settings = settings
        self.logger = logger
        self.onCommit = onCommit
        metrics = ScrapeMetrics(registry)
        commands = Mailbox(capacity: 1 << 20)
        let notice = DiscoveryNotice(commands)
        self.notice = notice
        discovery = DiscoveryRunner(registry: registry, logger: logger) { _ in notice.changed() }
        let budget = ByteBudget(limit: settings.maximumBodyMemory)
        bodyBudget = budget
        var inboxes: [ScrapeInbox] = []
        var loops: [OwnedLoop] = []
        for _ in 0..<max(1, settings.loops) {
            let multiplexer = try HTTPMultiplexer(budget: budget)
            inboxes.append(ScrapeInbox(waker: multiplexer.waker))
            loops.append(OwnedLoop(ScrapeEventLoop(multiplexer)))
        }
        self.inboxes = inboxes
        do throws(WorkerThread.StartError) {
            try startThreads(loops)
        } catch {
            stop()
            throw HTTPFailure(.other, error.description)
        }
        metrics.watch(registry) { [published] in published.targets.map { $0.snapshot.health } }
        metrics.watch(registry, budget)
    }

    private func startThreads(_ loops: [OwnedLoop]) throws(WorkerThread.StartError) {
        try threads.withLock { (threads) throws(WorkerThread.StartError) in
            threads.roster = try WorkerThread("scrape-targets") { [self] in
                var roster = TargetRoster(runner: self)
                roster.run()
            }
            for (index, (loop, inbox)) in zip(loops, inboxes).enumerated() {
                threads.loops.append(try WorkerThread("scrape-\(index)") { [self] in loop.run(inbox, self) })
            }
            for index in 0..<max(1, settings.workers) {
                threads.workers.append(try WorkerThread("scrape-work-\(index)") { [self] in run(work) })
            }
            threads.workers.append(try WorkerThread("scrape-slow") { [self] in run(slowWork) })
        }
    }

    /// A loop owned by its thread, which holds the lock for its lifetime.
    private final class OwnedLoop: Sendable {
        private let loop: Mutex<ScrapeEventLoop>

        init(_ loop: sending ScrapeEventLoop) {
            self.loop = Mutex(loop)
        }

        func run(_ inbox: ScrapeInbox, _ runner: ScrapeRunner) {
            loop.withLock { $0.run(inbox, runner) }
        }
    }

    /// Applies the jobs of a configuration. Unchanged targets keep their schedule, series and health.
    ///
    /// Returns when the new targets are known. If it throws, nothing has changed.
    public func reload(_ pools: [ScrapePool]) throws(RelabelError) {
        let reply = Mailbox<RelabelError?>(capacity: 1)
        guard commands.send(.configure(pools, reply: reply)), case .message(let error?) = reply.receive() else {
            return
        }
        throw error
    }

    /// Cancels all scrapes and joins the threads. Series get no staleness markers, because the next run continues them.
    /// Call it once.
    public func stop() {
        isStopping.store(true, ordering: .releasing)
        commands.close()
        discovery.stop()
        for inbox in inboxes { inbox.close() }
        work.close()
        slowWork.close()
        let threads = threads.withLock { $0 }
        threads.roster?.join()
        for thread in threads.loops + threads.workers { thread.join() }
    }

    /// Asks every thread whether it turns over, through the queue of its work. The pulses have the answers.
    public func probe() -> [Pulse] {
        for inbox in inboxes { inbox.probe() }
        if pulse.targets.ask() { commands.send(.probe(pulse.targets)) }
        if pulse.work.ask() { work.send(.probe(pulse.work)) }
        if pulse.slow.ask() { slowWork.send(.probe(pulse.slow)) }
        return inboxes.map(\.pulse) + [pulse.targets, pulse.work, pulse.slow]
    }

    /// The targets, sorted by job and URL.
    public func snapshots() -> [TargetSnapshot] {
        published.targets.map(\.snapshot).sorted {
            ($0.scrapePool, $0.scrapeURL) < ($1.scrapePool, $1.scrapeURL)
        }
    }

    /// Targets that relabelling dropped.
    public func droppedTargets() -> [DroppedTarget] { published.content.withLock { $0.dropped } }

    /// The metadata that each target exposes. It is read from the stored bodies, so call it rarely.
    public func metadata() -> [(labels: Labels, metadata: [MetricMetadata])] {
        published.targets.map { target in
            let entries = target.writer.withLock { $0.metadata() }
            return (target.identity.labels, MetricMetadata.families(entries))
        }
    }
}

/// Notifies the roster that discovery found changes. May be shared between threads.
final class DiscoveryNotice: Sendable {
    private let commands: Mailbox<ScrapeRunner.Command>
    /// Whether a command is already queued; one is enough.
    private let isSent = Atomic(false)

    init(_ commands: Mailbox<ScrapeRunner.Command>) {
        self.commands = commands
    }

    func changed() {
        if !isSent.exchange(true, ordering: .acquiringAndReleasing) { commands.send(.discovered) }
    }

    /// Must be called before the results of discovery are read.
    func received() { isSent.store(false, ordering: .releasing) }
}

/// The list of targets, for readers on other threads. May be shared between threads.
final class PublishedTargets: Sendable {
    struct Content: Sendable {
        var targets: [RunningTarget] = []
        var dropped: [DroppedTarget] = []
    }

    let content = Mutex(Content())

    var targets: [RunningTarget] { content.withLock { $0.targets } }
}
