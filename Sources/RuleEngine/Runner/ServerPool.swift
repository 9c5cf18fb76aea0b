internal import MetricModel
internal import Runtime
internal import Synchronization

/// The threads that evaluate the groups of one query server, so that a slow server delays no other group.
///
/// A group is in the queue at most once. Owned by the clock's thread.
final class ServerPool {
    let jobs = Mailbox<RuleClock.Work>(capacity: 1 << 16)
    private var threads: [WorkerThread] = []
    private let running = Running()

    private final class Running: Sendable {
        let count = Atomic(0)
    }

    /// Starts threads until there are `count`.
    ///
    /// - Parameter body: runs the jobs until the queue is closed.
    func grow(
        to count: Int, name: String, _ body: @escaping @Sendable (Mailbox<RuleClock.Work>) -> Void
    ) throws(WorkerThread.StartError) {
        while threads.count < count {
            let (jobs, running) = (jobs, running)
            running.count.add(1, ordering: .relaxed)
            do throws(WorkerThread.StartError) {
                threads.append(
                    try WorkerThread("ask \(name)") {
                        body(jobs)
                        running.count.subtract(1, ordering: .releasing)
                    })
            } catch {
                running.count.subtract(1, ordering: .relaxed)
                throw error
            }
        }
    }

    /// Whether there is no thread to run a job.
    var isEmpty: Bool { threads.isEmpty }

    /// Whether all threads have ended.
    var hasEnded: Bool { running.count.load(ordering: .acquiring) == 0 }

    /// Lets the threads end after their work. Waits for nothing.
    func close() { jobs.close() }

    /// Waits until the threads have ended.
    func join() {
        for thread in threads { thread.join() }
        threads = []
    }
}

extension RuleClock {
    /// Makes the pools of the servers that `groups` ask, and retires the others.
    func loadPools(_ groups: [RuleGroup], _ settings: RuleSettings) {
        for pool in retiredPools where pool.hasEnded { pool.join() }
        retiredPools.removeAll { $0.hasEnded }
        let wanted = Dictionary(
            groups.compactMap { settings.server(of: $0) }.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first }
        )
        for (name, pool) in pools where wanted[name] == nil {
            pool.close()
            retiredPools.append(pool)
            pools[name] = nil
        }
        for (name, server) in wanted {
            let pool = pools[name] ?? ServerPool()
            do throws(WorkerThread.StartError) {
                try pool.grow(to: max(1, server.concurrency), name: name) { [self] jobs in
                    work(jobs) { source(of: $0) }
                }
            } catch {
                logger.error("too few threads for a query server", ["server": name, "error": error.description])
            }
            // Without any thread the evaluations run with those of the own store.
            pools[name] = pool.isEmpty ? nil : pool
        }
    }

    /// The source that the rules of `unit` ask.
    func source(of unit: RuleUnit) -> RuleSource {
        guard let server = unit.server, let servers else { return .store(store) }
        // A group that asks for longer than its interval would miss the next evaluation.
        let most = max(unit.plan.interval, server.timeout)
        return .server(
            RuleServerSession(
                servers: servers, name: server.name,
                deadline: SystemClock.monotonicNanoseconds() &+ most.rawValue * 1_000_000,
                isCancelled: { [self] in isStopping.load(ordering: .relaxed) }))
    }

    /// Ends the threads. Answers that are under way are given up by ``isStopping``.
    func closePools() {
        for pool in pools.values { pool.close() }
        for pool in Array(pools.values) + retiredPools { pool.join() }
        pools = [:]
        retiredPools = []
    }
}
