import Glibc
import RollbackSimulation
import Runtime

/// Runs seeded worlds around the rollback machines and reports the checks.
struct SimulationCommand {
    var first: UInt64 = 1
    var count: UInt64 = 100_000
    var threads = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    var kept: Set<Strike>?
    var sabotage: Sabotage?
    var isSingle = false

    init?(_ arguments: [String]) {
        var rest = arguments[...]
        while let name = rest.popFirst(), let value = rest.popFirst() {
            switch name {
            case "--seeds": count = UInt64(value) ?? 0
            case "--first": first = UInt64(value) ?? 0
            case "--threads": threads = Int(value) ?? 0
            case "--seed":
                first = UInt64(value) ?? 0
                isSingle = true
            case "--keep":
                kept = Set(value.split(separator: ",").compactMap { Strike(String($0)) })
            case "--sabotage":
                guard let known = Sabotage(rawValue: value) else { return nil }
                sabotage = known
            case _: return nil
            }
        }
        guard rest.isEmpty, first > 0, count > 0, threads > 0 else { return nil }
    }

    func run() throws(WorkerThread.StartError) -> Int32 { isSingle ? repeatOne() : try campaign() }

    private func repeatOne() -> Int32 {
        var world = World(seed: first, kept: kept, sabotage: sabotage)
        world.trace = []
        world.live()
        for line in world.trace ?? [] { print(line) }
        for violation in world.violations { print(violation) }
        print(
            "seed \(first): \(world.steps) steps, strikes: \(world.strikes.map(\.description).joined(separator: ","))")
        return world.violations.isEmpty ? 0 : 1
    }

    private func campaign() throws(WorkerThread.StartError) -> Int32 {
        let start = SystemClock.monotonicNanoseconds()
        let totals = try Campaign.run(first..<first + count, threads: threads, sabotage: sabotage)
        let seconds = Double(SystemClock.monotonicNanoseconds() - start) / 1e9
        print(
            "\(totals.worlds) worlds, \(totals.steps) steps in \(Int(seconds)) s on \(threads) threads: "
                + "\(totals.crashes) crashes, \(totals.rollbacks) services rolled back, "
                + "\(totals.failures.count) violations")
        for invariant in Invariant.allCases { print("  \(totals.checks[invariant.rawValue]) checks of \(invariant)") }
        let strikes = Fault.allCases.map { "\($0) \(totals.strikes[$0.rawValue])" }
        print("  strikes: \(strikes.joined(separator: ", "))")
        for (seed, violation) in totals.failures.dropFirst(3) { print("seed \(seed): \(violation)") }
        for (seed, violation) in totals.failures.prefix(3) {
            print("seed \(seed): \(violation)")
            guard let small = Campaign.shrink(seed: seed, sabotage: sabotage) else { continue }
            let strikes = small.strikes.map(\.description).joined(separator: ",")
            print("  shrunk to \(small.strikes.count) strikes: \(small.violation)")
            print("  repeat: --seed \(seed) --keep \(strikes.isEmpty ? "none" : strikes)")
        }
        return totals.failures.isEmpty ? 0 : 1
    }
}

if CommandLine.arguments.dropFirst().first == "explore" {
    guard let command = ExplorationCommand(Array(CommandLine.arguments.dropFirst(2))) else {
        print(ExplorationCommand.usage)
        exit(2)
    }
    exit(try command.run())
}
guard let command = SimulationCommand(Array(CommandLine.arguments.dropFirst())) else {
    print("usage: Simulation [--seeds N] [--first SEED] [--threads N] [--sabotage NAME] | --seed SEED [--keep STRIKES]")
    print(ExplorationCommand.usage)
    exit(2)
}
exit(try command.run())
