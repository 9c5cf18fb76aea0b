import Runtime
import Synchronization

/// The results of many worlds.
public struct Totals: Sendable {
    /// The number of worlds.
    public var worlds = 0
    /// The number of events.
    public var steps = 0
    /// Processes that ended and were restarted.
    public var crashes = 0
    /// Services that were rolled back.
    public var rollbacks = 0
    /// How often each fault struck, by its raw value.
    public var strikes = [Int](repeating: 0, count: Fault.allCases.count)
    /// How often each invariant was checked, by its number.
    public var checks = [Int](repeating: 0, count: Invariant.slots)
    /// Seeds in which a check failed, with the first violation.
    public var failures: [(seed: UInt64, violation: Violation)] = []

    /// No results yet.
    public init() {}

    /// Adds a finished world.
    public mutating func add(_ world: World, seed: UInt64) {
        worlds += 1
        steps += world.steps
        crashes += world.process
        rollbacks += world.rollbacks.count
        for strike in world.strikes { strikes[strike.fault.rawValue] += 1 }
        for index in checks.indices { checks[index] += world.checks[index] }
        if let violation = world.violations.first { failures.append((seed, violation)) }
    }

    mutating func add(_ other: Totals) {
        worlds += other.worlds
        steps += other.steps
        crashes += other.crashes
        rollbacks += other.rollbacks
        for index in strikes.indices { strikes[index] += other.strikes[index] }
        for index in checks.indices { checks[index] += other.checks[index] }
        failures += other.failures
    }
}

/// Runs the worlds of many seeds, on several threads.
public enum Campaign {
    /// Runs `seeds` until all are done or a thread has found `limit` failures.
    public static func run(
        _ seeds: Range<UInt64>, threads: Int, sabotage: Sabotage? = nil, limit: Int = 10
    ) throws(WorkerThread.StartError) -> Totals {
        let progress = Progress(seeds)
        let workers = try (0..<threads).map { (number) throws(WorkerThread.StartError) in
            try WorkerThread("worlds \(number)") {
                var totals = Totals()
                while totals.failures.count < limit, let part = progress.take() {
                    for seed in part where totals.failures.count < limit {
                        var world = World(seed: seed, sabotage: sabotage)
                        world.live()
                        totals.add(world, seed: seed)
                    }
                }
                progress.finish(totals)
            }
        }
        for worker in workers { worker.join() }
        return progress.totals
    }

    /// Distributes seeds and collects the results.
    private final class Progress: Sendable {
        private let next: Mutex<Range<UInt64>>
        private let sum = Mutex(Totals())

        init(_ seeds: Range<UInt64>) {
            next = Mutex(seeds)
        }

        func take() -> Range<UInt64>? {
            next.withLock { rest in
                guard !rest.isEmpty else { return nil }
                let end = min(rest.upperBound, rest.lowerBound + 16)
                defer { rest = end..<rest.upperBound }
                return rest.lowerBound..<end
            }
        }

        func finish(_ totals: Totals) { sum.withLock { $0.add(totals) } }

        var totals: Totals { sum.withLock(\.self) }
    }

    /// The fewest strikes that still violate the same invariant in the world of `seed`.
    ///
    /// Leaves out smaller and smaller parts of the strikes while the violation remains. Not the smallest possible set,
    /// but one of which no single strike can be left out.
    public static func shrink(seed: UInt64, sabotage: Sabotage? = nil) -> (strikes: [Strike], violation: Violation)? {
        func run(_ kept: [Strike]?) -> (strikes: [Strike], violation: Violation)? {
            var world = World(seed: seed, kept: kept.map(Set.init), sabotage: sabotage)
            world.live()
            return world.violations.first.map { (world.strikes, $0) }
        }
        guard var best = run(nil) else { return nil }
        var size = best.strikes.count
        while size > 0 {
            var start = 0
            let before = best.strikes.count
            while start < best.strikes.count {
                var fewer = best.strikes
                fewer.removeSubrange(start..<min(start + size, fewer.count))
                if let found = run(fewer), found.violation.invariant == best.violation.invariant,
                    found.strikes.count < best.strikes.count
                {
                    best = found
                } else {
                    start += size
                }
            }
            // Leaving out a late strike may have made an early one unnecessary.
            if size > 1 || best.strikes.count == before { size /= 2 }
        }
        return best
    }
}
