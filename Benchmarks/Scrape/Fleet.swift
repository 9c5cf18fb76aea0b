import Glibc
import Synchronization
import WebServer

/// Targets at `/0`, `/1` …, which return the next of four bodies at each scrape.
enum Fleet {
    /// 60 % histogram buckets, 30 % counters, 10 % gauges.
    static func body(target: Int, series: Int, round: Int) -> [UInt8] {
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
                    text += "http_request_duration_seconds_\(family)_bucket{\(labels),le=\"0.\(line % 10)\"} ".utf8
                    text += "\(value)\n".utf8
                case 6..<9: text += "http_requests_total_\(family){\(labels),code=\"20\(line % 10)\"} \(value)\n".utf8
                default: text += "process_cpu_ratio_\(family){\(labels)} \(Double(value) / 1000)\n".utf8
                }
            }
        }
        return text
    }

    /// Serves `[port, targets, series]` until the process is stopped. `/scrapes` returns the scrapes of each agent.
    static func serve(_ numbers: [Int]) throws {
        let (port, targets, series) = (numbers[0], numbers[1], numbers[2])
        let bodies = (0..<targets).map { target in (0..<4).map { body(target: target, series: series, round: $0) } }
        let counts = Mutex<[String: Int]>([:])
        var configuration = HTTPServerConfiguration(address: "127.0.0.1", port: port)
        configuration.maximumConnections = 4 * targets + 64
        let server = try HTTPServer(configuration) { request in
            if request.path == "/scrapes" {
                let lines = counts.withLock { $0 }.map { "\($0.key) \($0.value)\n" }
                return HTTPServerResponse(status: 200, body: Array(lines.joined().utf8))
            }
            guard let target = Int(request.path.dropFirst()), bodies.indices.contains(target) else {
                return HTTPServerResponse(status: 404)
            }
            let agent = String((request[header: "User-Agent"] ?? "").prefix { $0 != "/" })
            let round = counts.withLock { counts in
                counts[agent, default: 0] += 1
                return counts[agent, default: 0] / targets
            }
            return HTTPServerResponse(
                status: 200, headers: [("Content-Type", "text/plain; version=0.0.4")], body: bodies[target][round % 4])
        }
        while true { pause() }
        _ = server
    }
}
