import Glibc
import RollbackSimulation
import Runtime

/// `Simulation explore`: tries every order of events in a small world, and prints what it found.
struct ExplorationCommand {
    static let usage = """
        usage: Simulation explore [--services 1|2] [--routes 1|2] [--faults N] [--orders N] [--reloads N]
                 [--generations N] [--depth N] [--states N] [--seconds N] [--gigabytes N] [--threads N]
                 [--from start|rollout] [--sabotage NAME]
        """
    private var size = SmallWorld.Size()
    private var limits = Exploration.Limits()
    private var sabotage: Sabotage?

    /// `nil` for arguments that are none.
    init?(_ arguments: [String]) {
        var rest = arguments[...]
        while let name = rest.popFirst(), let value = rest.popFirst() {
            if name == "--from" {
                guard value == "start" || value == "rollout" else { return nil }
                limits.isAlongRollout = value == "rollout"
                continue
            }
            if name == "--sabotage" {
                guard let known = Sabotage(rawValue: value) else { return nil }
                sabotage = known
                // The one in which it is found soonest.
                size = known.smallWorld?.size ?? size
                limits.isAlongRollout = known.isFoundAlongRollout
                continue
            }
            guard let number = Int(value), number >= 0 else { return nil }
            switch name {
            case "--services": size.services = number
            case "--routes": size.routes = number
            case "--faults": size.faults = number
            case "--orders": size.orders = number
            case "--reloads": size.reloads = number
            case "--generations": size.generations = UInt64(number)
            case "--depth": limits.depth = number
            case "--states": limits.states = number
            case "--seconds": limits.seconds = Double(number)
            case "--gigabytes": limits.bytes = number << 30
            case "--threads": limits.threads = number
            case _: return nil
            }
        }
        guard rest.isEmpty, 1...2 ~= size.services, 1...2 ~= size.routes, limits.threads > 0 else { return nil }
    }

    /// Explores and prints the result.
    ///
    /// - Returns: the exit code: 1 if a check failed.
    func run() throws(WorkerThread.StartError) -> Int32 {
        let start = SystemClock.monotonicNanoseconds()
        let exploration = Exploration(SmallWorld(size, sabotage: sabotage), limits) { result, frontier in
            let seconds = (SystemClock.monotonicNanoseconds() - start) / 1_000_000_000
            let megabytes = ProcessFigures.read().residentBytes >> 20
            print(
                "depth \(result.depth): \(result.states) states, \(frontier) of them new, \(result.events) events, "
                    + "\(seconds) s, \(megabytes) MiB")
            fflush(nil)
        }
        let result = try exploration.run()
        let seconds = Double(SystemClock.monotonicNanoseconds() - start) / 1e9
        print(
            "\(size.services) services x \(size.routes) routes, \(size.faults) faults, \(size.orders) orders, "
                + "\(size.reloads) reloads, generation <= \(size.generations)"
                + "\(limits.isAlongRollout ? ", from \(result.roots) states of a rollout" : ""): \(result.states) states, "
                + "\(result.events) events, depth \(result.depth) \(result.isComplete ? "(all)" : "(bounded)"), "
                + "\(result.calms) ends, \(Int(seconds.rounded())) s, "
                + "\(ProcessFigures.read().residentBytes >> 20) MiB, \(result.finding == nil ? 0 : 1) violations")
        guard let finding = result.finding else { return 0 }
        for line in finding.path { print(line) }
        print("\(finding.invariant): \(finding.detail) (after \(finding.length) events)")
        return 1
    }
}
