// Measures how fast the history accepts events and measurements, writes them to a database, and answers queries.
//
//     swift run -c release HistoryBenchmark DIRECTORY [POSTGRES-ADDRESS] [--small]
//
// Without an address the database is SQLite. With one, the same rows also go into a plain table by COPY, for
// comparison.
// DIRECTORY must not exist; it is not removed.

import Database
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

var arguments = CommandLine.arguments.dropFirst()
let isSmall = arguments.contains("--small")
arguments.removeAll { $0 == "--small" }
guard let directory = arguments.first else {
    print("usage: HistoryBenchmark DIRECTORY [POSTGRES-ADDRESS] [--small]")
    exit(2)
}
let address = arguments.dropFirst().first
var configuration = HistoryConfiguration(directory: directory, origin: "benchmark")
if let address { configuration.database = .postgres(address: address) }
configuration.stopTimeout = .seconds(600)
configuration.selfCheckRate = 0
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
        ], incident: number.isMultiple(of: 100) ? "incident-\(number)" : nil, service: "auth")
}

let events = isSmall ? 20_000 : 100_000
var accepting = 0.0
let total = seconds {
    accepting = seconds { for number in 0..<events { runner.record(event(number)) } }
    _ = runner.drain(timeout: 600_000)
}
report("events accepted by one thread", events, accepting)
report("events brought to the database", events, total)

let durable = isSmall ? 500 : 2000
report(
    "events recorded durably, one after the other", durable,
    seconds { for number in 0..<durable { runner.recordDurably(event(number)) } })
_ = runner.drain(timeout: 600_000)

let series = (0..<1000).map {
    Labels(metric: "m", [Label("instance", "host-\($0)"), Label("job", "benchmark"), Label("service", "s\($0 % 7)")])
}
let rounds = isSmall ? 200 : 1000
let start: Int64 = 1_700_000_000_000
let measured = seconds {
    for round in 0..<rounds {
        let time = Timestamp(milliseconds: start + Int64(round) * 15_000)
        runner.record(
            measurements: series.map { Measurement(labels: $0, timestamp: time, value: Double(round) + 0.5) })
    }
    _ = runner.drain(timeout: 600_000)
}
let rows = rounds * series.count
report("measurements brought to the database, 1000 per batch", rows, measured)

if let address {
    // The same rows by COPY alone: no spool, no hash, no ledger; the indexes of the history's table.
    let database = try PostgresDatabase(address: address)
    try database.run(
        """
        CREATE TEMPORARY TABLE plain (time TIMESTAMPTZ NOT NULL, series BIGINT NOT NULL, value FLOAT8, batch BIGINT NOT NULL);
        CREATE INDEX ON plain (series, time); CREATE INDEX ON plain USING brin (time); CREATE INDEX ON plain USING brin (batch)
        """)
    let copied = try seconds {
        for round in 0..<rounds {
            let time = (start + Int64(round) * 15_000) * 1000
            try database.insert(
                into: "plain",
                [
                    ("time", .times(series.map { _ in time })), ("series", .integers(series.indices.map(Int64.init))),
                    ("value", .reals(series.map { _ in Double(round) + 0.5 })),
                    ("batch", .integers(series.map { _ in Int64(round) })),
                ])
        }
    }
    report("the same rows by COPY alone", rows, copied)
    print("ratio to COPY alone: \(Double(Int(copied / measured * 100)) / 100)")
}

/// Prints the median and the 95th percentile of `count` runs.
func percentiles(_ what: String, _ count: Int = 200, _ body: () throws -> Int) rethrows {
    var found = 0
    let times = try (0..<count).map { _ in try seconds { found = try body() } }.sorted()
    let (median, p95) = (times[count / 2] * 1000, times[count * 95 / 100] * 1000)
    print("\(what): p50 \(Double(Int(median * 100)) / 100) ms, p95 \(Double(Int(p95 * 100)) / 100) ms, \(found) rows")
}

try percentiles("events, newest 50") { try runner.events(LedgerQuery(limit: 50)).entries.count }
try percentiles("events of one incident") {
    try runner.events(LedgerQuery(incident: "incident-\(events / 200 * 100)", limit: 50)).entries.count
}
try percentiles("events of a service in a minute") {
    try runner.events(LedgerQuery(service: "auth", from: start, through: start + 60_000, limit: 50)).entries.count
}
if let address {
    let database = try PostgresDatabase(address: address)
    // Rollups are brought up to date once a minute.
    let deadline = SystemClock.monotonicNanoseconds() + 120_000_000_000
    while SystemClock.monotonicNanoseconds() < deadline,
        try database.rows("SELECT 1 FROM compliance_hour LIMIT 1").isEmpty
    { usleep(500_000) }
    try percentiles("compliance of the quarter, per service and hour") {
        try database.rows("SELECT hour, service, average FROM compliance_hour WHERE hour > '2023-10-01'").count
    }
    try percentiles("one service's last five minutes") {
        try database.rows(
            """
            SELECT time, value FROM measurements WHERE labels @> '{"service":"s3"}' AND time > '2023-11-15'::timestamptz
            ORDER BY time DESC LIMIT 100
            """
        ).count
    }
}
runner.stop()
let examined = try seconds { print("intact: \(try LedgerAudit(configuration).verify().isIntact)") }
report("audit verify, entries", events + durable + rounds, examined)
