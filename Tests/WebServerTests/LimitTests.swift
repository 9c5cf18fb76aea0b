import Glibc
import Runtime
import Synchronization
import TestSupport
import Testing
import WebServer

/// The limits for clients that send or read slowly, or too much.
@Suite struct LimitTests {
    private func server(
        handler: @escaping @Sendable (HTTPServerRequest) -> HTTPServerResponse = { .text("\($0.body.count)") },
        configured change: (inout HTTPServerConfiguration) -> Void = { _ in }
    ) throws -> HTTPServer {
        var configuration = HTTPServerConfiguration()
        change(&configuration)
        return try HTTPServer(configuration, probe: { $0.path == "/probe" ? .text("up") : nil }, handler: handler)
    }

    @Test func halfOpenConnectionsDoNotLockProbesOut() throws {
        let server = try server()
        let clients = (0..<600).map { index in
            let client = RawHTTPClient(port: server.port)
            if index % 2 == 1 { client.send("GET / HTTP/1.1\r\nHos") }
            return client
        }
        for _ in 0..<10 { #expect(RawHTTPClient.get(server.port, "/probe")?.text == "up") }
        #expect(Loopback.eventually { server.statistics.openConnections <= 512 })
        #expect(server.statistics.evictedConnections >= 80)
        withExtendedLifetime(clients) {}
        server.stop()
    }

    @Test func bodiesThatAreNeverFinishedHoldABoundedTotal() throws {
        let server = try server(configured: {
            $0.maximumBodyBytes = 4 << 20
            $0.maximumRequestBytesInFlight = 6 << 20
        })
        let piece = String(repeating: "a", count: 1 << 20)
        let clients = (0..<10).map { _ in
            let client = RawHTTPClient(port: server.port)
            client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(4 << 20)\r\n\r\n")
            for _ in 0..<3 { client.send(piece) }
            return client
        }
        #expect(Loopback.eventually { server.statistics.malformedRequests >= 1 })
        #expect(server.statistics.requestBytesInFlight <= 6 << 20)
        // Small bodies and probes are not concerned.
        let small = RawHTTPClient(port: server.port)
        small.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + String(repeating: "b", count: 1000))
        #expect(small.answer()?.text == "1000")
        #expect(RawHTTPClient.get(server.port, "/probe")?.text == "up")
        for client in clients { client.hangUp() }
        #expect(Loopback.eventually { server.statistics.requestBytesInFlight == 0 })
        server.stop()
    }

    @Test func bodiesBeyondTheTotalAreRefusedAndCountedOut() throws {
        let server = try server(configured: {
            $0.maximumBodyBytes = 4 << 20
            $0.maximumRequestBytesInFlight = 1 << 20
        })
        let client = RawHTTPClient(port: server.port)
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(2 << 20)\r\n\r\n")
        client.send(String(repeating: "a", count: 2 << 20))
        let answer = client.answer()
        #expect(answer == nil || answer?.status == 503)
        let next = RawHTTPClient(port: server.port)
        next.send(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n" + String(repeating: "a", count: 500_000))
        #expect(next.answer()?.text == "500000")
        #expect(Loopback.eventually { server.statistics.requestBytesInFlight == 0 })
        server.stop()
    }

    @Test func responsesThatNobodyReadsHoldABoundedTotal() throws {
        let body = String(repeating: "x", count: 20 << 20)
        let server = try server(handler: { _ in .text(body) }) { $0.maximumResponseBytesInFlight = 64 << 20 }
        let clients = (0..<10).map { _ in
            let client = RawHTTPClient(port: server.port)
            client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            return client
        }
        #expect(Loopback.eventually { server.statistics.droppedResponses >= 4 })
        #expect(server.statistics.responseBytesInFlight <= 64 << 20)
        #expect(RawHTTPClient.get(server.port, "/probe")?.text == "up")
        for client in clients { client.hangUp() }
        #expect(Loopback.eventually { server.statistics.responseBytesInFlight == 0 })
        server.stop()
    }

    @Test(arguments: [
        "", "GET / HTTP/1.1\r\nHost", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na",
        "GET /large HTTP/1.1\r\nHost: x\r\n\r\n",
    ])
    func silentClientsAreClosed(sent: String) throws {
        let server = try server(handler: { _ in .text(String(repeating: "x", count: 16 << 20)) }) {
            $0.timeouts.headSeconds = 1
            $0.timeouts.bodySeconds = 1
            $0.timeouts.writeSeconds = 1
        }
        let client = RawHTTPClient(port: server.port)
        client.send(sent)
        #expect(Loopback.eventually { server.statistics.expiredConnections == 1 })
        #expect(Loopback.eventually { server.statistics.openConnections == 0 })
        withExtendedLifetime(client) {}
        server.stop()
    }

    @Test func idleConnectionsAreClosed() throws {
        let server = try server(configured: { $0.timeouts.idleSeconds = 1 })
        let client = RawHTTPClient(port: server.port)
        client.send("GET /probe HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.answer()?.text == "up")
        #expect(client.isClosed())
        server.stop()
    }

    @Test func headsThatDripInAreClosedToo() throws {
        let server = try server(configured: { $0.timeouts.headSeconds = 1 })
        let client = RawHTTPClient(port: server.port)
        client.send("GET / HTTP/1.1\r\n")
        let isClosed = Loopback.eventually {
            client.send("A: b\r\n")
            return server.statistics.expiredConnections == 1
        }
        #expect(isClosed)
        server.stop()
    }

    @Test func requestsBeyondTheQueueAreTurnedAway() throws {
        let isReleased = Atomic<Bool>(false)
        let server = try server(
            handler: { _ in
                _ = Loopback.eventually { isReleased.load(ordering: .relaxed) }
                return .text("done")
            },
            configured: {
                $0.workers = 1
                $0.maximumWaitingRequests = 2
            })
        let clients = (0..<6).map { _ in RawHTTPClient(port: server.port) }
        // The second of two requests gets no response where the first is turned away.
        for client in clients { client.send(String(repeating: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", count: 2)) }
        #expect(Loopback.eventually { server.statistics.refusedRequests == 3 })
        #expect(RawHTTPClient.get(server.port, "/probe")?.text == "up")
        isReleased.store(true, ordering: .relaxed)
        let first = clients.map { ($0, $0.answer()) }
        #expect(first.count { $0.1?.status == 200 } == 3)
        for (client, answer) in first where answer?.status == 503 {
            #expect(answer?.header("Connection") == "close")
            #expect(client.isClosed())
        }
        server.stop()
    }

    @Test func hugeFormsAreRefusedBeforeTheyAreRead() throws {
        let server = try server(configured: {
            $0.maximumBodyBytes = 64 << 20
            $0.maximumFormBytes = 1 << 20
        })
        func post(_ body: String) -> RawHTTPClient.Answer? {
            let client = RawHTTPClient(port: server.port)
            client.send(
                "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n")
            client.send(body)
            return client.answer()
        }
        #expect(post(String(repeating: "a=1&", count: 100_000))?.status == 400)
        #expect(post("a=" + String(repeating: "1", count: 2 << 20))?.status == 413)
        #expect(post("a=" + String(repeating: "1", count: 500_000))?.status == 200)
        server.stop()
    }

    // MARK: Listeners

    @Test func severalAddressesAreServed() throws {
        let directory = TemporaryDirectory()
        let path = directory.file("socket")
        let server = try HTTPServer(
            {
                var configuration = HTTPServerConfiguration()
                configuration.addresses = [
                    .tcp(host: "127.0.0.1", port: 0), .tcp(host: "::1", port: 0), .unix(path: path, mode: 0o600),
                ]
                return configuration
            }()
        ) { request in
            .text("[\(request.peer)] \(request.client.credentials.map { "\($0.process) \($0.user)" } ?? "-")")
        }
        #expect(RawHTTPClient.get(server.port, "/")?.text == "[127.0.0.1] -")
        #expect(ShellCommand.run("curl -sS http://[::1]:\(server.ports[1])/") == "[::1] -")
        let local = ShellCommand.run("curl -sS --unix-socket \(path) http://x/")
        #expect(local.hasPrefix("[] ") && local.hasSuffix(" \(getuid())"))
        #expect(ShellCommand.run("stat -c %a \(path)") == "600\n")
        // A second server must not take over the socket.
        let error = #expect(throws: HTTPServerError.self) {
            var configuration = HTTPServerConfiguration()
            configuration.addresses = [.unix(path: path, mode: 0o600)]
            _ = try HTTPServer(configuration) { _ in .text("") }
        }
        #expect(error?.code == .addressInUse)
        server.stop()
        #expect(access(path, F_OK) != 0)
    }

    @Test func inheritedSocketsAreServed() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let port = Loopback.freePort()
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        #expect(isBound)
        var configuration = HTTPServerConfiguration()
        configuration.addresses = [.inherited(descriptor: listener)]
        #expect(throws: HTTPServerError.self) { _ = try HTTPServer(configuration) { _ in .text("") } }
        #expect(listen(listener, 10) == 0)
        let server = try HTTPServer(configuration) { _ in .text("inherited") }
        #expect(server.port == port)
        #expect(RawHTTPClient.get(port, "/")?.text == "inherited")
        server.stop()
    }

    @Test func eventsArriveWhenTheyAreSentAndEndWithTheServer() throws {
        let isReleased = Atomic<Bool>(false)
        let stream = Mutex<HTTPEventStream?>(nil)
        let server = try server(handler: { _ in
            let events = HTTPEventStream { isReleased.store(true, ordering: .relaxed) }
            stream.withLock { $0 = events }
            return events.response
        })
        let client = RawHTTPClient(port: server.port)
        client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.answer(toHead: true)?.header("Content-Type") == "text/event-stream")
        for number in 0..<3 {
            stream.withLock { _ = $0?.send(event: "e", id: "\(number)", data: "a\nb") }
            #expect(client.chunk() == "event: e\nid: \(number)\ndata: a\ndata: b\n\n")
        }
        // No thread waits for it.
        #expect(RawHTTPClient.get(server.port, "/probe")?.text == "up")
        stream.withLock { $0 = nil }
        server.stop()
        #expect(client.isClosed())
        let wasReleased = isReleased.load(ordering: .relaxed)
        #expect(wasReleased)
    }
}
