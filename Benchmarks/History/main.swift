// Measures how fast the history accepts events and measurements and writes them to a database.
//
//     swift run -c release HistoryBenchmark DIRECTORY [POSTGRES-ADDRESS]
//
// Without an address the database is SQLite. DIRECTORY must not exist; it is not removed.

import Glibc
import History
import Instrumentation
import JSON
import MetricModel
import Runtime

func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = SystemClock.monotonicNanoseconds()
    try body()
    return Double(SystemClock.monotonicNanoseconds() - start) / 1e9
}

func report(_ what: String, _ count: Int, _ taken: Double) {
    print("\(what): \(count) in \(Int(taken * 1000)) ms, \(Int(Double(count) / taken)) per second")
}

let arguments = CommandLine.arguments
guard arguments.count >= 2 else {
    print("usage: HistoryBenchmark DIRECTORY [POSTGRES-ADDRESS]")
    exit(2)
}
var configuration = HistoryConfiguration(directory: arguments[1], origin: "benchmark")
if arguments.count > 2 { configuration.database = .postgres(address: arguments[2]) }
configuration.stopTimeout = .seconds(600)
let runner = try HistoryRunner(configuration, logger: Logger(level: .warn), registry: Registry())
_ = runner.recordDurably(LedgerEvent(milliseconds: 0, kind: .checkpoint, subject: "start", body: [:]))
_ = runner.drain(timeout: 60_000)

/// A body of about 400 bytes, as a decision has.
func event(_ number: Int) -> LedgerEvent {
    LedgerEvent(
        milliseconds: 1_700_000_000_000 + Int64(number), kind: .decision, subject: "ComplianceLow",
        body: [
            "number": .integer(Int64(number)), "value": .number(0.9371), "threshold": "< 0.95", "consecutive": 3,
            "rule_hash": "cdd01ef066bc6cf2cdd01ef066bc6cf2cdd01ef066bc6cf2cdd01ef066bc6cf2", "plan": "acgs",
            "service": "auth", "samples": .array((0..<10).map { .number(0.93 + Double($0) / 1000) }),
            "labels": ["env": "green", "job": "auth", "instance": "127.0.0.1:8000"],
        ])
}

let events = 100_000
var accepting = 0.0
let total = seconds {
    accepting = seconds { for number in 0..<events { runner.record(event(number)) } }
    _ = runner.drain(timeout: 600_000)
}
report("events accepted by one thread", events, accepting)
report("events brought to the database", events, total)

let durable = 2000
report(
    "events recorded durably, one after the other", durable,
    seconds { for number in 0..<durable { runner.recordDurably(event(number)) } })
_ = runner.drain(timeout: 600_000)

let series = (0..<1000).map { Labels(metric: "m", [Label("instance", "host-\($0)"), Label("job", "benchmark")]) }
let rounds = 300
let measured = seconds {
    for round in 0..<rounds {
        let time = Timestamp(milliseconds: 1_700_000_000_000 + Int64(round) * 15_000)
        runner.record(
            measurements: series.map { Measurement(labels: $0, timestamp: time, value: Double(round) + 0.5) })
    }
    _ = runner.drain(timeout: 600_000)
}
report("measurements brought to the database, 1000 per batch", rounds * series.count, measured)
runner.stop()
let examined = try seconds { print("intact: \(try LedgerAudit(configuration).verify().isIntact)") }
report("audit verify, entries", events + durable + rounds, examined)
