import Glibc
import Runtime
import Synchronization
import TestSupport
import Testing
import WebServer

/// What reaches a client before any handler: refusals with their headers, and probes during attacks.
@Suite struct ReceptionTests {
    /// Admits everybody, and adds a header.
    private struct Headers: HTTPAuthenticator {
        func quickDecision(_ request: HTTPServerRequest) -> HTTPDecision? { .admit(identity: nil) }
        func decide(_ request: HTTPServerRequest) -> HTTPDecision { .admit(identity: nil) }
        let responseHeaders: [(name: String, value: String)] = [("X-Content-Type-Options", "nosniff")]
    }

    private func server(
        configured change: (inout HTTPServerConfiguration) -> Void = { _ in },
        handler: @escaping @Sendable (HTTPServerRequest) -> HTTPServerResponse = { _ in .text("ok") }
    ) throws -> HTTPServer {
        var configuration = HTTPServerConfiguration()
        configuration.authenticator = Headers()
        configuration.maximumBodyBytes = 1000
        change(&configuration)
        return try HTTPServer(configuration, probe: { $0.path == "/probe" ? .text("up") : nil }, handler: handler)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\n\r\n", 400), ("CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        ("GET / HTTP/9.0\r\n\r\n", 505),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n", 413),
        ("GET / HTTP/1.1\r\nHost: x\r\nA: \(String(repeating: "a", count: 70_000))\r\n\r\n", 431),
        ("GET /probe HTTP/1.1\r\nHost: x\r\n\r\n", 200), ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    ]) func everyAnswerHasTheStandardHeaders(request: String, status: Int) throws {
        let server = try server()
        defer { server.stop() }
        let client = RawHTTPClient(port: server.port)
        client.send(request)
        let answer = try #require(client.answer())
        #expect(answer.status == status)
        #expect(answer.header("X-Content-Type-Options") == "nosniff", "\(answer.head)")
    }

    @Test func aFullQueueAnswersWithTheStandardHeaders() throws {
        let release = Mailbox<Void>(capacity: 1)
        let server = try server(
            configured: {
                $0.workers = 1
                $0.maximumWaitingRequests = 1
            },
            handler: { _ in
                _ = release.receive()
                return .text("ok")
            })
        let clients = (0..<4).map { _ in
            let client = RawHTTPClient(port: server.port)
            client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            return client
        }
        #expect(Loopback.eventually { server.statistics.refusedRequests >= 1 })
        release.close()
        let answers = clients.compactMap { $0.answer() }
        let refused = answers.filter { $0.status == 503 }
        #expect(!refused.isEmpty && refused.allSatisfy { $0.header("X-Content-Type-Options") == "nosniff" })
        server.stop()
    }

    /// The slowest of `count` probes, each on a new connection, in milliseconds.
    private func slowestProbe(_ server: HTTPServer, _ count: Int) -> Int64 {
        (0..<count).map { _ in
            let start = SystemClock.monotonicNanoseconds()
            let isUp = RawHTTPClient.get(server.port, "/probe")?.text == "up"
            return isUp ? (SystemClock.monotonicNanoseconds() - start) / 1_000_000 : .max
        }.max() ?? .max
    }

    @Test(arguments: ["", "GET / HTTP/1.1\r\nHos", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\u{16}\u{3}\u{1}"])
    func probesAreAnsweredWhileClientsComeAndReadNothing(sends text: String) throws {
        let large = String(repeating: "x", count: 1 << 20)
        let server = try server(handler: { _ in .text(large) })
        let isOver = Atomic(false)
        let port = server.port
        let attacker = try WorkerThread("attacker") {
            var held: [RawHTTPClient] = []
            while !isOver.load(ordering: .relaxed) {
                let client = RawHTTPClient(port: port)
                client.send(text)
                held.append(client)
                if held.count > 700 { held.removeFirst() }
            }
        }
        defer {
            isOver.store(true, ordering: .relaxed)
            attacker.join()
            server.stop()
        }
        #expect(Loopback.eventually { server.statistics.evictedConnections > 100 })
        // Generous, since other tests run at the same time; scripts/attacks.py measures.
        #expect(slowestProbe(server, 20) < 5000)
        // The limit, what is accepted at once, and what is being closed.
        #expect(server.statistics.openConnections <= 1024)
    }
}
