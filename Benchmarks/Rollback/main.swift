// Measures rollbacks through the real chain and a real HAProxy on loopback.
// Usage: swift run -c release RollbackBenchmark [shift [TRIPS] | seven [TRIPS] | dead-route [TRIPS] |
// full-disk [TRIPS] | drain [ROLLBACKS [PER_SECOND]] | nginx [ROLLBACKS [PER_SECOND]] | kill [TIMES]]
// Without an argument: shift, seven, drain and nginx, which is drain through nginx. `kill` needs RollbackCrashProcess,
// built the same way, and `full-disk` a small file system: see `Trouble`.
import Glibc

let arguments = Array(CommandLine.arguments.dropFirst())
let numbers = arguments.dropFirst().compactMap { Int($0) }
do {
    switch arguments.first {
    case nil:
        try Shifts.oneService(1000)
        try Shifts.sevenServices(100)
        try Drain.run(20, perSecond: 10_000, through: Proxy(services: ["web"]))
        try Drain.run(20, perSecond: 10_000, through: NginxProxy())
    case "shift": try Shifts.oneService(numbers.first ?? 1000)
    case "seven": try Shifts.sevenServices(numbers.first ?? 100)
    case "drain":
        try Drain.run(
            numbers.first ?? 20, perSecond: numbers.dropFirst().first ?? 10_000, through: Proxy(services: ["web"]))
    case "nginx":
        try Drain.run(numbers.first ?? 20, perSecond: numbers.dropFirst().first ?? 10_000, through: NginxProxy())
    case "kill": try Kills.run(numbers.first ?? 100)
    case let name? where Trouble(rawValue: name) != nil:
        try Trouble(rawValue: name)?.run(numbers.first ?? 200)
    case let other?: throw BenchmarkFailure("unknown measurement \(other)")
    }
} catch {
    print(error)
    exit(1)
}
