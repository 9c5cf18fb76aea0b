// Evaluates rules over synthetic series and prints CPU per round and the time from a commit to the measurement. Not
// timed: creating and storing the samples.
// Usage: swift run -c release RuleBenchmark [series] [rules]
import Glibc
import Instrumentation
import MetricModel
import MetricStore
import PromQL
import RuleEngine
import RuleModel
import Runtime

let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
let seriesCount = arguments.first ?? 100_000
let ruleCount = arguments.dropFirst().first ?? 500
let services = 50

/// CPU time of this process in seconds.
func cpuSeconds() -> Double {
    var usage = rusage()
    getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    let seconds = Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
    return seconds + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
}

/// One lane per service; 60 % histogram buckets, 40 % counters.
func fill(_ store: MetricStore, until end: Int64) throws {
    for service in 0..<services {
        let lane = try store.openLane("scrape/\(service)")
        var slots: [RingSlot] = []
        for index in 0..<seriesCount / services {
            let isBucket = index % 10 < 6
            var labels: Labels = [
                "__name__": isBucket ? "request_duration_seconds_bucket" : "requests_total", "job": "shop",
                "service": "service-\(service)", "instance": "10.0.0.\(index / 100)", "handler": "/\(index / 10 % 10)",
            ]
            let bounds = ["0.01", "0.05", "0.1", "0.5", "1", "+Inf"]
            let code = ["200", "404", "500", "503"][max(0, index % 10 - 6)]
            if isBucket { labels.set("le", to: bounds[index % 10]) } else { labels.set("code", to: code) }
            slots.append(try lane.slot(for: labels))
        }
        for step in stride(from: end - 600_000, through: end, by: 5000) {
            var row = lane.beginAppend(at: Timestamp(milliseconds: step))
            let elapsed = Double(step - end + 600_000) / 1000
            for (index, slot) in slots.enumerated() { row.append(slot, elapsed * Double(1 + index % 10)) }
            try row.commit()
        }
    }
}

/// Rates by label, quantiles over summed buckets, and ratios, each for one service, like real rule files.
func rules() -> String {
    var text = ""
    for index in 0..<ruleCount {
        let service = "service=\"service-\(index % services)\""
        let window = "[\(1 + index / services % 5)m]"
        switch index % 3 {
        case 0:
            text +=
                "  - record: r\(index)\n    expr: sum by (handler, code) (rate(requests_total{\(service)}\(window)))\n"
        case 1:
            text += "  - record: r\(index)\n    expr: histogram_quantile(0.99, sum by (handler, le) "
            text += "(rate(request_duration_seconds_bucket{\(service)}\(window))))\n"
        default:
            text += "  - alert: r\(index)\n    expr: sum(rate(requests_total{\(service),code=~\"5..\"}\(window))) "
            text += "/ sum(rate(requests_total{\(service)}\(window))) > 2\n"
        }
    }
    return text
}

let now = SystemClock.wallMilliseconds()
let store = try MetricStore(StoreConfiguration(), registry: nil)
try fill(store, until: now)

/// Evaluates the groups of `text` at each of `rounds` commits. Returns CPU seconds per round, and the sorted seconds
/// from the commit to the measurement of the rule `Probe`, which must be the last one. The first round is not counted.
func react(_ text: String, name: String, rounds: Int) throws -> (cpu: Double, reaction: [Double]) {
    let lane = try store.openLane("trigger/\(name)")
    let slot = try lane.slot(for: ["__name__": "trigger", "bench": name])
    let measured = Mailbox<Int64>(capacity: 10)
    let runner = RuleRunner(
        store: store, engine: QueryEngine(), groups: try RuleFile(parsing: Array(text.utf8), path: "bench.yml").groups,
        settings: RuleSettings(),
        sinks: .init(alerts: { _ in }, measurement: { _ in measured.send(SystemClock.monotonicNanoseconds()) }),
        registry: Registry(), logger: Logger())
    try runner.start()
    defer { runner.stop() }
    while runner.snapshots().isEmpty { usleep(1000) }
    var seconds: [Double] = []
    var start = cpuSeconds()
    for round in 0...rounds {
        let time = Timestamp(milliseconds: now + Int64(round) * 100)
        var row = lane.beginAppend(at: time)
        row.append(slot, Double(round))
        try row.commit()
        let committed = SystemClock.monotonicNanoseconds()
        runner.scrapeCommitted(lane: lane.id, at: time, nanoseconds: committed)
        guard case .message(let moment) = measured.receive() else { break }
        seconds.append(Double(moment - committed) / 1e9)
        // Nothing runs between two commits.
        usleep(2000)
        if round == 0 { start = cpuSeconds() }
    }
    let failed = runner.snapshots().flatMap(\.rules).filter { $0.health == .err }
    if let rule = failed.first { print("\(failed.count) rules failed: \(rule.name): \(rule.lastError)") }
    return ((cpuSeconds() - start) / Double(rounds), seconds.dropFirst().sorted())
}

func microseconds(_ sorted: [Double], _ share: Double) -> Int {
    Int(sorted[Int(Double(sorted.count - 1) * share)] * 1e6)
}

func probe(_ name: String) -> String {
    "  - {rollback: Probe, expr: 'trigger{bench=\"\(name)\"}', trip: '< 0', action: {plan: p}}\n"
}

let head = "groups:\n- name: NAME\n  trigger: scrape\n  rules:\n"
let alone = try react(head.replacing("NAME", with: "alone") + probe("alone"), name: "alone", rounds: 1000)
print(
    "one rule, from commit to measurement: p50 \(microseconds(alone.reaction, 0.5)) µs, "
        + "p99 \(microseconds(alone.reaction, 0.99)) µs")
let all = try react(head.replacing("NAME", with: "all") + rules() + probe("all"), name: "all", rounds: 20)
print(
    "\(ruleCount) rules over \(seriesCount) series: \((all.cpu * 1e5).rounded() / 100) ms of CPU per round, "
        + "\((all.cpu / Double(ruleCount) * 1e8).rounded() / 100) µs per rule; "
        + "at 5 s that is \((all.cpu / 5 * 1e5).rounded() / 1e5) cores")
