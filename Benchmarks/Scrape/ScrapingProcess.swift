import CurlHTTP
import Discovery
import Glibc
import Instrumentation
import MetricModel
import MetricStore
import Runtime
import Scraper

/// The measured programs, each in its own process: `[port, targets, interval]`.
enum ScrapingProcess {
    /// The scraper with a store in memory.
    static func tribune(_ numbers: [Int]) throws {
        let (port, targets, interval) = (numbers[0], numbers[1], numbers[2])
        let registry = Registry()
        let runner = try ScrapeRunner(store: MetricStore(StoreConfiguration(), registry: registry), registry: registry)
        var pool = ScrapePool(
            name: "fleet-\(getpid())", interval: .seconds(Int64(interval)), timeout: .seconds(Int64(interval)))
        pool.asksForCompression = false
        pool.staticTargets = (0..<targets).map {
            TargetGroup(
                source: String($0), addresses: ["127.0.0.1:\(port)"],
                labels: ["__metrics_path__": "/\($0)", "pod": "\($0)"])
        }
        try runner.reload([pool])
        while true { pause() }
        _ = runner
    }

    /// The minimum work of a client: evenly spaced requests, with the bodies discarded.
    ///
    /// - Parameter user: with a user in the URL, libcurl handles the whole exchange; without, the scraper's own path is
    ///   measured.
    static func receive(_ numbers: [Int], agent: String, user: String = "") throws {
        let (port, targets, interval) = (numbers[0], numbers[1], numbers[2])
        let multiplexer = try HTTPMultiplexer()
        let requests = try (0..<targets).map { target in
            var request = HTTPRequest(url: "http://\(user)127.0.0.1:\(port)/\(target)")
            request.headers = [("User-Agent", agent)]
            return try PreparedRequest(request)
        }
        var due = SystemClock.monotonicNanoseconds()
        var expected = [Int](repeating: 0, count: targets)
        while true {
            for (target, request) in requests.enumerated() {
                due += Int64(interval) * 1_000_000_000 / Int64(targets)
                while SystemClock.monotonicNanoseconds() < due { multiplexer.run(until: due) { _, _ in } }
                multiplexer.start(request, token: target, expectedBodyBytes: expected[target])
                while multiplexer.count > 0 {
                    multiplexer.run(until: .max) { _, outcome in
                        switch consume outcome {
                        case .success(var answer):
                            expected[target] = answer.body.count + answer.body.count / 32
                            multiplexer.recycle(answer.takeBody())
                        case .failure: break
                        }
                    }
                }
            }
        }
    }
}
