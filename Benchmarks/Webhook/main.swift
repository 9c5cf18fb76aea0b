// Measures the time from a bad value to the call of a webhook, through the real service: a target on this machine
// returns a value that turns bad, a rule in a group with `trigger: scrape` fires, and a receiver on this machine is
// called. The time starts when the target sends its response, so it includes fetching, parsing and storing.
// Usage: WebhookBenchmark PATH-OF-TRIBUNE [trips, default 200] [milliseconds between scrapes, default 100]
import Glibc
import JSON
import Runtime
import Synchronization
import TestSupport
import WebServer

/// The start and end of each trip, in nanoseconds.
final class Trips: Sendable {
    private struct State {
        var scrapes = 0
        var begun: [Int: Int64] = [:]
        var ended: [Int: Int64] = [:]
    }

    private let state = Mutex(State())

    /// The value of the next scrape: good and bad in turn. Each bad value is a different number.
    func scraped() -> Int {
        let now = SystemClock.monotonicNanoseconds()
        return state.withLock { state in
            state.scrapes += 1
            guard state.scrapes % 2 == 0 else { return 0 }
            let trip = state.scrapes / 2
            state.begun[trip] = now
            return trip
        }
    }

    func called(_ trip: Int, at moment: Int64) {
        state.withLock { state in
            if state.ended[trip] == nil { state.ended[trip] = moment }
        }
    }

    /// Milliseconds of the finished trips after the first ten, sorted; and the number of missing ones among those that
    /// started long enough ago.
    var durations: (milliseconds: [Double], missing: Int) {
        state.withLock { state in
            let settled = state.begun.filter {
                $0.key > 10 && $0.value < SystemClock.monotonicNanoseconds() - 2_000_000_000
            }
            let finished = settled.compactMap { trip, begin in state.ended[trip].map { Double($0 - begin) / 1e6 } }
            return (finished.sorted(), settled.count - finished.count)
        }
    }
}

func configuration(target: Int, receiver: Int, interval: Int, in directory: TemporaryDirectory) {
    directory.write(
        "prometheus_config: prometheus.yml\nalertmanager_config: alertmanager.yml\n", to: "tribune.yml")
    directory.write(
        """
        global: {scrape_interval: \(interval)ms, scrape_timeout: \(interval)ms}
        rule_files: [rules.yml]
        scrape_configs:
        - {job_name: target, static_configs: [{targets: ['127.0.0.1:\(target)']}]}
        """, to: "prometheus.yml")
    // The value is a label, so that each trip is a separate alert and notification group.
    directory.write(
        """
        groups:
        - name: trips
          trigger: scrape
          rules:
          - {alert: Bad, expr: trip > 0, labels: {trip: '{{ $value }}'}}
        """, to: "rules.yml")
    directory.write(
        """
        route: {receiver: hook, group_by: [trip], group_wait: 0s, group_interval: 1h, repeat_interval: 4h}
        receivers:
        - {name: hook, webhook_configs: [{url: 'http://127.0.0.1:\(receiver)/', send_resolved: false}]}
        """, to: "alertmanager.yml")
}

func run(_ program: String, trips wanted: Int, interval: Int) throws {
    let trips = Trips()
    let target = try HTTPServer(
        HTTPServerConfiguration(),
        probe: { _ in
            .text("# TYPE trip gauge\ntrip \(trips.scraped())\n", contentType: "text/plain; version=0.0.4")
        }, handler: { _ in .text("", status: 500) })
    let receiver = try HTTPServer(
        HTTPServerConfiguration(),
        probe: { request in
            let moment = SystemClock.monotonicNanoseconds()
            // An invalid message belongs to no trip, which counts as not called.
            let message = try? JSON(parsing: request.body)
            for alert in message?["alerts"]?.elements ?? [] {
                if let trip = alert["labels"]?["trip"]?.text.flatMap({ Int($0) }) { trips.called(trip, at: moment) }
            }
            return .text("")
        }, handler: { _ in .text("", status: 500) })
    defer {
        target.stop()
        receiver.stop()
    }
    let directory = TemporaryDirectory()
    configuration(target: target.port, receiver: receiver.port, interval: interval, in: directory)
    let process = try ChildProcess(
        [
            program, "serve", "--config.file=\(directory.file("tribune.yml"))",
            "--storage.path=\(directory.file("data"))", "--web.listen-address=127.0.0.1:\(Loopback.freePort())",
        ], output: .file(directory.file("log")))
    defer { _ = process.stop() }
    let deadline = SystemClock.monotonicNanoseconds(in: Int64(interval * (2 * wanted + 40)) * 2 + 20_000)
    while trips.durations.milliseconds.count < wanted {
        guard process.poll() == nil, SystemClock.monotonicNanoseconds() < deadline else {
            print("not enough trips; the log of the service:\n\(FileText.read(directory.file("log")) ?? "")")
            exit(1)
        }
        usleep(100_000)
    }
    let (milliseconds, missing) = trips.durations
    func share(_ share: Double) -> Double {
        (milliseconds[Int(Double(milliseconds.count - 1) * share)] * 100).rounded() / 100
    }
    print(
        "\(milliseconds.count) trips, from the target's answer with the bad value to the call of the webhook: "
            + "p50 \(share(0.5)) ms, p99 \(share(0.99)) ms, most \(share(1)) ms; \(missing) without a call")
}

let arguments = CommandLine.arguments.dropFirst()
guard let program = arguments.first, access(program, X_OK) == 0 else {
    print("usage: WebhookBenchmark PATH-OF-TRIBUNE [trips] [milliseconds between scrapes]")
    exit(2)
}
let numbers = arguments.dropFirst().compactMap { Int($0) }
try run(program, trips: numbers.first ?? 200, interval: numbers.dropFirst().first ?? 100)
