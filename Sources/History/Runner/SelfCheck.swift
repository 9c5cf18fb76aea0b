internal import Instrumentation
internal import MetricModel
internal import Runtime
internal import Synchronization

/// The result of the continuous verification by the running service.
public struct SelfCheckStatus: Equatable, Sendable {
    /// When the whole ledger was last verified, in milliseconds since the epoch; 0 before the first time.
    public var finishedAt: Int64 = 0
    /// Entries verified by it.
    public var entries: Int64 = 0
    /// Problems found by it, or so far by the active verification if that is more.
    public var problems = 0
    /// The first entry with a problem.
    public var firstBadEntry: Int64?
    /// The first problem.
    public var message: String?

    /// No verification yet.
    public init() {}
}

/// The thread that verifies the ledger continuously, at a bounded rate.
final class SelfCheck: Sendable {
    private let configuration: HistoryConfiguration
    private let logger: Logger
    private let metrics: HistoryMetrics
    private let ending = Mailbox<Void>(capacity: 1)
    private let shared = Mutex(SelfCheckStatus())
    private let thread = Mutex<WorkerThread?>(nil)

    /// Entries of a page. The rate decides how long the thread sleeps after each.
    static let pageSize = 200

    init(
        _ configuration: HistoryConfiguration, logger: Logger, metrics: HistoryMetrics
    ) throws(WorkerThread.StartError) {
        self.configuration = configuration
        self.logger = logger
        self.metrics = metrics
        if configuration.selfCheckRate > 0 {
            let worker = try WorkerThread("history-verify") { [self] in run() }
            thread.withLock { $0 = worker }
        }
    }

    var status: SelfCheckStatus { shared.withLock { $0 } }

    func stop() {
        ending.close()
        thread.withLock { $0.take() }?.join()
    }

    /// Sleeps; returns false if the history was stopped meanwhile.
    private func sleep(_ nanoseconds: Int64) -> Bool {
        let deadline = SystemClock.monotonicNanoseconds() + nanoseconds
        if case .closed = ending.receive(deadline: deadline) { return false }
        return true
    }

    private func run() {
        let nanosecondsPerEntry = 1_000_000_000 / Int64(configuration.selfCheckRate)
        while sleep(configuration.selfCheckInterval.rawValue * 1_000_000) {
            do throws(HistoryError) {
                let report = try LedgerAudit(configuration).verify(pageLimit: Self.pageSize) { entries in
                    metrics.verified.add(Double(entries))
                    return sleep(Int64(entries) * nanosecondsPerEntry)
                }
                if let report { finished(report) }
            } catch {
                // Without a database no verification is possible; the writer reports that.
                logger.debug("ledger not verified", ["error": error.message])
            }
        }
    }

    private func finished(_ report: LedgerReport) {
        let first = report.problems.first
        let isNews = shared.withLock { status in
            let isNews = status.message != first?.description
            status.finishedAt = SystemClock.wallMilliseconds()
            status.entries = report.entries
            status.problems = report.problems.count
            status.firstBadEntry = report.problems.compactMap(\.sequences?.lowerBound).min()
            status.message = first?.description
            return isNews
        }
        guard isNews else { return }
        if let first {
            logger.error("ledger altered", ["problems": report.problems.count, "first": "\(first)"])
        } else {
            logger.info("ledger intact", ["entries": report.entries])
        }
    }
}
