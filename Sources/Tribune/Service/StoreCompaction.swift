internal import MetricModel
internal import MetricStore
internal import Runtime
internal import Synchronization

/// Rewrites old samples into blocks, on a thread of its own that uses a twentieth of a core at most and yields to all
/// others.
final class StoreCompaction: Sendable {
    /// Between two looks whether there is something to do.
    private static let period: Int64 = 60_000_000_000
    /// For each nanosecond of work the thread waits this many.
    private static let restingFactor: Int64 = 19
    /// Work between two rests, and the longest rest, in nanoseconds.
    private static let workAtOnce: Int64 = 2_000_000
    private static let longestRest: Int64 = 1_000_000_000

    private let store: MetricStore
    private let logger: Logger
    private let ending = Mailbox<Void>(capacity: 1)
    private let thread = Mutex<WorkerThread?>(nil)

    init(store: MetricStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    func start() throws(WorkerThread.StartError) {
        let worker = try WorkerThread("compaction", niceness: 19) { self.run() }
        thread.withLock { $0 = worker }
    }

    /// Ends the thread; a file that it is writing is given up.
    func stop() {
        ending.close()
        thread.withLock { $0.take() }?.join()
    }

    /// Waits; returns `false` if the service stops.
    private func rest(_ nanoseconds: Int64) -> Bool {
        if case .timedOut = ending.receive(deadline: SystemClock.monotonicNanoseconds() + nanoseconds) { return true }
        return false
    }

    private func run() {
        var hadFailed = false
        while rest(Self.period) {
            var isMore = true
            while isMore {
                let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
                do throws(StoreError) {
                    isMore = try store.compact(now: now, step: makeStep())
                    if hadFailed { logger.info("samples are compacted again") }
                    hadFailed = false
                } catch {
                    if !hadFailed { logger.warn("samples not compacted", ["reason": error.message]) }
                    hadFailed = true
                    isMore = false
                }
                if isMore { isMore = rest(Self.workAtOnce) }
            }
        }
    }

    /// Called during the work: waits after some of it.
    private func makeStep() -> () -> Bool {
        var worked = SystemClock.threadNanoseconds()
        return { [self] in
            let used = SystemClock.threadNanoseconds() - worked
            guard used >= Self.workAtOnce else { return true }
            let goesOn = rest(min(used * Self.restingFactor, Self.longestRest))
            worked = SystemClock.threadNanoseconds()
            return goesOn
        }
    }
}
