// Scrapes a synthetic fleet that runs in a process of its own, and prints the CPU time that scraping takes.
// Counted: the whole scraping process after its first two rounds, HTTP included. Not counted: the fleet.
// Usage: swift run -c release ScrapeBenchmark [targets] [series] [seconds]
import CurlHTTP
import Glibc
import Instrumentation
import MetricModel
import MetricStore
import MicroHTTP
import Runtime
import Scraper
import Synchronization

/// One target's body: 60 % histogram buckets, 30 % counters, 10 % gauges.
func body(target: Int, series: Int, round: Int) -> [UInt8] {
    var text: [UInt8] = []
    for family in 0..<max(1, series / 100) {
        text += "# HELP http_request_duration_seconds_\(family) How long requests took.\n".utf8
        text += "# TYPE http_request_duration_seconds_\(family) histogram\n".utf8
        for line in 0..<100 {
            let labels =
                "service=\"checkout\",pod=\"checkout-\(target)\",method=\"GET\",handler=\"/api/v1/items/\(line / 10)\""
            let value = (family * 100 + line) * 7919 % 1_000_003 + round * 13
            switch line % 10 {
            case 0..<6:
                text +=
                    "http_request_duration_seconds_\(family)_bucket{\(labels),le=\"0.\(line % 10)\"} \(value)\n".utf8
            case 6..<9: text += "http_requests_total_\(family){\(labels),code=\"20\(line % 10)\"} \(value)\n".utf8
            default: text += "process_cpu_ratio_\(family){\(labels)} \(Double(value) / 1000)\n".utf8
            }
        }
    }
    return text
}

/// Seconds of CPU that this process has used.
func cpuSeconds() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    let (user, system) = (usage.ru_utime, usage.ru_stime)
    return Double(user.tv_sec + system.tv_sec) + Double(user.tv_usec + system.tv_usec) / 1e6
}

/// Serves bodies until the process is ended.
func serveFleet(port: Int, targets: Int, series: Int) throws {
    let bodies = (0..<targets).map { target in (0..<4).map { body(target: target, series: series, round: $0) } }
    let count = Atomic(0)
    let server = try HTTPServer(HTTPServerConfiguration(address: "127.0.0.1", port: port)) { request in
        let target = Int(request.path.dropFirst()) ?? 0
        let round = count.add(1, ordering: .relaxed).newValue / targets
        return HTTPServerResponse(
            status: 200, headers: [("Content-Type", "text/plain; version=0.0.4")], body: bodies[target][round % 4])
    }
    while true { sleep(3600) }
    _ = server
}

func measure(targets: Int, series: Int, seconds: Int) throws {
    let port = 40_000 + Int(getpid()) % 20_000
    let fleet = try ChildProcess(
        [CommandLine.arguments[0], "fleet", "\(port)", "\(targets)", "\(series)"], output: .inherited)
    defer { fleet.stop() }
    let client = HTTPClient()
    while (try? client.send(HTTPRequest(url: "http://127.0.0.1:\(port)/0")))?.status != 200 { usleep(20_000) }
    let registry = Registry()
    let store = try MetricStore(StoreConfiguration(), registry: registry)
    let runner = try ScrapeRunner(store: store, registry: registry)
    var pool = ScrapePool(name: "fleet", interval: .seconds(1), timeout: .seconds(1))
    pool.asksForCompression = false
    pool.staticTargets = (0..<targets).map {
        ScrapePool.TargetGroup(targets: ["127.0.0.1:\(port)"], labels: ["__metrics_path__": "/\($0)", "pod": "\($0)"])
    }
    try runner.reload([pool])
    sleep(3)
    let samples = registry.counter("tribune_scrape_samples_total", "Samples that targets exposed.")
    let (startCPU, startSamples) = (cpuSeconds(), samples.value)
    sleep(UInt32(seconds))
    let (cpu, count) = (cpuSeconds() - startCPU, samples.value - startSamples)
    let failures = registry.counter("tribune_scrapes_total", "", labels: ["outcome": "failure"]).value
    print(
        "\(targets) x \(series) series: \(cpu / count * 1e6) CPU s per million samples, \(count) samples, \(failures) failed scrapes"
    )
    runner.stop()
}

let numbers = CommandLine.arguments.compactMap { Int($0) }
if CommandLine.arguments.dropFirst().first == "fleet", numbers.count == 3 {
    try serveFleet(port: numbers[0], targets: numbers[1], series: numbers[2])
} else {
    try measure(
        targets: numbers.first ?? 50, series: numbers.dropFirst().first ?? 2000,
        seconds: numbers.dropFirst(2).first ?? 10)
}
