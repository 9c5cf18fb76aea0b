// Targets to be scraped by several servers at once: /0, /1 … are the targets. /scrapes returns the scrapes of each
// client, as lines with a number and a user agent. The first line of the output is the port. Runs until it is stopped.
// Usage: SyntheticFleet TARGETS SERIES
import Glibc
import Runtime
import Synchronization
import WebServer

/// The number of responses per user agent.
final class ScrapeCounts: Sendable {
    private let counts = Mutex<[String: Int]>([:])

    func add(_ agent: String) {
        counts.withLock { $0[agent, default: 0] += 1 }
    }

    var text: String {
        counts.withLock { $0 }.map { "\($0.value) \($0.key)\n" }.joined()
    }
}

func serve(targets count: Int, series: Int) throws {
    let targets = (0..<count).map { SyntheticTarget(number: $0, series: series) }
    let scrapes = ScrapeCounts()
    let start = SystemClock.wallMilliseconds()
    var configuration = HTTPServerConfiguration(address: "127.0.0.1", port: 0)
    configuration.workers = 2
    configuration.maximumConnections = 8 * count + 64
    let server = try HTTPServer(configuration) { request in
        if request.path == "/scrapes" { return HTTPServerResponse(status: 200, body: Array(scrapes.text.utf8)) }
        guard let number = Int(request.path.dropFirst()), targets.indices.contains(number) else {
            return HTTPServerResponse(status: 404)
        }
        scrapes.add(request[header: "User-Agent"] ?? "unknown")
        return HTTPServerResponse(
            status: 200, headers: [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")],
            body: targets[number].body(at: Int(SystemClock.wallMilliseconds() - start)))
    }
    print(server.port)
    fflush(nil)
    while true { pause() }
}

let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
guard numbers.count == 2, numbers[0] > 0, numbers[1] > 0, numbers[1] % SyntheticTarget.blockSize == 0 else {
    print("usage: SyntheticFleet TARGETS SERIES (a multiple of \(SyntheticTarget.blockSize))")
    exit(2)
}
try serve(targets: numbers[0], series: numbers[1])
