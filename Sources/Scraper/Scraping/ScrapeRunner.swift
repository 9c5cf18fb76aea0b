public import CurlHTTP
internal import Discovery
public import Instrumentation
public import MetricModel
public import MetricStore
public import Runtime
internal import Synchronization

/// Scrapes every target on its schedule into the store. The shell around ``ScrapeLoop``; any thread may use it.
///
/// One thread keeps the list of targets, one or a few scrape, and some workers store what takes long. Made and stopped
/// by the composition root.
public final class ScrapeRunner: Sendable {
    /// What the composition root decides.
    public struct Settings: Sendable {
        /// The hash that targets are checked against; `nil` switches the check off.
        public var constitutionalHash: String?
        /// Threads that scrape, each its share of the targets.
        public var loops = 1
        /// Threads that store what would hold up other targets: bodies that are new, long or far from the last.
        public var workers = 2
        /// The longest body of any target, compressed or not, whatever `body_size_limit` says.
        public var maximumBodyBytes = 256 << 20
        /// The memory for the bodies of all targets that are received, inflated or wait to be stored.
        public var maximumBodyMemory = 512 << 20
        /// The most samples of any body and the most series of any target, whatever `sample_limit` says.
        public var maximumSeriesPerTarget = 1_000_000
        /// Whether counters begin with a zero at the time since when they count (`created-timestamp-zero-ingestion`).
        public var zeroesStarts = false
        /// What targets see as `User-Agent`.
        public var userAgent = "Tribune"

        /// The defaults, without a hash.
        public init(constitutionalHash: String? = nil) {
            self.constitutionalHash = constitutionalHash
        }
    }

    /// Told of each committed scrape: the lane, the time of its samples, and the monotonic nanoseconds of the commit.
    public typealias CommitObserver = @Sendable (LaneID, Timestamp, _ monotonicNanoseconds: Int64) -> Void

    enum Command: Sendable {
        case configure([ScrapePool], reply: Mailbox<RelabelError?>)
        case ended(RunningTarget)
        /// Discovery has found something new.
        case discovered
    }

    enum Work: Sendable {
        case scraped(ScrapeInHand, ScrapeAnswer)
        case end(RunningTarget, at: Timestamp)
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
    /// Bounded by the number of targets: each has one scrape at a time.
    let work = Mailbox<Work>(capacity: 1 << 20)
    /// Scrapes that keep a thread for long; they have one of their own, so that other targets do not wait for them.
    let slowWork = Mailbox<Work>(capacity: 1 << 20)
    let published = PublishedTargets()
    let isStopping = Atomic(false)
    /// One for each scraping thread.
    let inboxes: [ScrapeInbox]
    let discovery: DiscoveryRunner
    let notice: DiscoveryNotice
    private let threads = Mutex(Threads())

    /// A runner without targets: ``reload(_:)`` brings them.
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

    /// A loop that its thread runs. The lock is taken once, for as long as the thread lives.
    private final class OwnedLoop: Sendable {
        private let loop: Mutex<ScrapeEventLoop>

        init(_ loop: sending ScrapeEventLoop) {
            self.loop = Mutex(loop)
        }

        func run(_ inbox: ScrapeInbox, _ runner: ScrapeRunner) {
            loop.withLock { $0.run(inbox, runner) }
        }
    }

    /// Takes over the jobs of a configuration. Targets that stay keep their schedule, series and health.
    ///
    /// Returns when the new targets are known; fails without changing anything.
    public func reload(_ pools: [ScrapePool]) throws(RelabelError) {
        let reply = Mailbox<RelabelError?>(capacity: 1)
        guard commands.send(.configure(pools, reply: reply)), case .message(let error?) = reply.receive() else {
            return
        }
        throw error
    }

    /// Ends all scrapes and waits for the threads: what is being received or stored is let go. Series get no staleness
    /// markers: the next run goes on with them. To be called once.
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

    /// The targets, by job and URL.
    public func snapshots() -> [TargetSnapshot] {
        published.targets.map(\.snapshot).sorted {
            ($0.scrapePool, $0.scrapeURL) < ($1.scrapePool, $1.scrapeURL)
        }
    }

    /// Targets that relabelling dropped.
    public func droppedTargets() -> [DroppedTarget] { published.content.withLock { $0.dropped } }

    /// The metadata that each target exposes. Reads it off the remembered bodies, so it is not for every second.
    public func metadata() -> [(labels: Labels, metadata: [MetricMetadata])] {
        published.targets.map { target in
            let entries = target.writer.withLock { $0.metadata() }
            return (target.identity.labels, MetricMetadata.families(entries))
        }
    }
}

/// Tells the roster that discovery has found something new. May be shared between threads.
final class DiscoveryNotice: Sendable {
    private let commands: Mailbox<ScrapeRunner.Command>
    /// Whether a command waits to be received; one is enough.
    private let isSent = Atomic(false)

    init(_ commands: Mailbox<ScrapeRunner.Command>) {
        self.commands = commands
    }

    func changed() {
        if !isSent.exchange(true, ordering: .acquiringAndReleasing) { commands.send(.discovered) }
    }

    /// To be called before discovery is looked at.
    func received() { isSent.store(false, ordering: .releasing) }
}

/// What others may see of the list of targets. May be shared between threads.
final class PublishedTargets: Sendable {
    struct Content: Sendable {
        var targets: [RunningTarget] = []
        var dropped: [DroppedTarget] = []
    }

    let content = Mutex(Content())

    var targets: [RunningTarget] { content.withLock { $0.targets } }
}
