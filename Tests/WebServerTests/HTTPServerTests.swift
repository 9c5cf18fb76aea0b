import Glibc
import Runtime
import Synchronization
import TestSupport
import Testing
import WebServer

@Suite struct HTTPServerTests {
    /// A server whose answer is a description of the request.
    private func echo(_ change: (inout HTTPServerConfiguration) -> Void = { _ in }) throws -> HTTPServer {
        var configuration = HTTPServerConfiguration()
        change(&configuration)
        return try HTTPServer(configuration) { request in
            let query = request.query.map { "\($0.name)=\($0.value)" }.joined(separator: "|")
            let form = request.form.map { "\($0.name)=\($0.value)" }.joined(separator: "|")
            return .text("\(request.method) \(request.path) [\(query)] [\(form)] \(request.body.count) \(request.peer)")
        }
    }

    @Test func pathAndParametersAreDecoded() throws {
        let server = try echo()
        let answer = RawHTTPClient.get(server.port, "/a%20b/c%2fd+e?x=1&x=%7B2%7D&plus=a+b%2B&empty=&bare&bad=%zz")
        #expect(answer?.status == 200)
        #expect(answer?.text == "GET /a b/c/d+e [x=1|x={2}|plus=a b+|empty=|bare=] [] 0 127.0.0.1")
        server.stop()
    }

    @Test func malformedEscapeInThePathIsABadRequest() throws {
        let server = try echo()
        #expect(RawHTTPClient.get(server.port, "/a%2")?.status == 400)
        #expect(RawHTTPClient.get(server.port, "/%zz")?.status == 400)
        server.stop()
    }

    @Test func connectionIsKeptForFurtherRequests() throws {
        let server = try echo()
        let client = RawHTTPClient(port: server.port)
        for index in 0..<50 {
            client.send("GET /\(index) HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = client.answer()
            #expect(answer?.text.hasPrefix("GET /\(index) ") == true)
            #expect(answer?.header("Connection")?.lowercased() != "close")
        }
        server.stop()
        #expect(client.isClosed())
    }

    @Test func largeBodiesArriveAsTheyAre() throws {
        let sizes = [65_535, 65_536, 65_537, 131_073, 1_000_003]
        @Sendable func byte(_ index: Int) -> UInt8 { UInt8(33 + index * 31 % 89) }
        let server = try HTTPServer(HTTPServerConfiguration()) { request in
            let size = Int(request.path.dropFirst()) ?? 0
            return HTTPServerResponse(status: 200, headers: [], body: (0..<size).map(byte))
        }
        let client = RawHTTPClient(port: server.port)
        for size in sizes + sizes.reversed() {
            client.send("GET /\(size) HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = try #require(client.answer())
            #expect(answer.header("Content-Length") == "\(size)")
            #expect(Array(answer.text.utf8) == (0..<size).map(byte))
        }
        // A client that leaves in the middle of an answer must not keep anything.
        client.send("GET /1000003 HTTP/1.1\r\nHost: x\r\n\r\n")
        client.hangUp()
        server.stop()
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() throws {
        let server = try echo()
        let client = RawHTTPClient(port: server.port)
        client.send((0..<20).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
        for index in 0..<20 { #expect(client.answer()?.text.hasPrefix("GET /\(index) ") == true) }
        server.stop()
    }

    @Test func formFieldsAreDecodedWhateverThePieces() throws {
        let server = try echo()
        let client = RawHTTPClient(port: server.port)
        client.send(
            "POST /q?u=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n")
        for piece in ["query=rat", "e%28x%5B5", "m%5D%29&time=1"] {
            client.send("\(String(piece.utf8.count, radix: 16))\r\n\(piece)\r\n")
        }
        client.send("0\r\n\r\n")
        #expect(client.answer()?.text == "POST /q [u=1] [query=rate(x[5m])|time=1] 32 127.0.0.1")
        server.stop()
    }

    @Test func bodyBeyondTheLimitIsRefused() throws {
        let server = try echo { $0.maximumBodyBytes = 1000 }
        let whole = RawHTTPClient(port: server.port)
        whole.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + String(repeating: "a", count: 1000))
        #expect(whole.answer()?.text == "POST / [] [] 1000 127.0.0.1")

        let announced = RawHTTPClient(port: server.port)
        announced.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n")
        #expect(announced.answer()?.status == 413)

        let chunked = RawHTTPClient(port: server.port)
        chunked.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in 0..<3 { chunked.send("190\r\n\(String(repeating: "a", count: 400))\r\n") }
        chunked.send("0\r\n\r\n")
        #expect(chunked.answer()?.status == 413)
        server.stop()
    }

    @Test func endlessBodyIsCutOff() throws {
        let server = try echo { $0.maximumBodyBytes = 1000 }
        let client = RawHTTPClient(port: server.port)
        client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        let piece = "8000\r\n" + String(repeating: "a", count: 0x8000) + "\r\n"
        for _ in 0..<200 { client.send(piece) }
        // The response is lost where the client still sends when the connection is closed.
        let answer = client.answer()
        #expect(answer == nil || answer?.status == 413)
        #expect(client.isClosed())
        server.stop()
    }

    @Test func headersBeyondTheLimitAreRefused() throws {
        let server = try echo { $0.maximumHeaderBytes = 8192 }
        let long = String(repeating: "a", count: 9000)
        let answer = RawHTTPClient.get(server.port, "/", headers: "X-Long: \(long)\r\n")
        #expect(answer?.status == 431)
        let target = RawHTTPClient.get(server.port, "/" + long)
        #expect(target?.status == 414)
        #expect(RawHTTPClient.get(server.port, "/")?.status == 200)
        server.stop()
    }

    @Test func headIsAnsweredWithoutBody() throws {
        let server = try echo()
        let client = RawHTTPClient(port: server.port)
        client.send("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n")
        let head = client.answer(toHead: true)
        #expect(head?.header("Content-Length") == "\("HEAD /h [] [] 0 127.0.0.1".utf8.count)")
        #expect(client.answer()?.text.hasPrefix("GET /next") == true)
        server.stop()
    }

    @Test func garbageHarmsNobody() throws {
        let server = try echo()
        for text in ["\r\n\r\n", "GET\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "a: b\r\n\r\n"] {
            let client = RawHTTPClient(port: server.port)
            client.send(text)
            client.hangUp()
        }
        #expect(RawHTTPClient.get(server.port, "/")?.status == 200)
        server.stop()
    }

    @Test func blockedHandlersDoNotStopOthers() throws {
        let isReleased = Atomic<Bool>(false)
        let server = try HTTPServer(HTTPServerConfiguration()) { request in
            if request.path == "/release" { isReleased.store(true, ordering: .relaxed) }
            while request.path == "/wait", !isReleased.load(ordering: .relaxed), !request.isClientGone { usleep(500) }
            return .text("\(isReleased.load(ordering: .relaxed))")
        }
        let blocked = (0..<7).map { _ in RawHTTPClient(port: server.port) }
        for client in blocked { client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n") }
        #expect(RawHTTPClient.get(server.port, "/release")?.text == "true")
        for client in blocked { #expect(client.answer()?.text == "true") }
        server.stop()
    }

    @Test func probesNeedNoWorker() throws {
        let isReleased = Atomic<Bool>(false)
        let isBusy = Atomic<Bool>(false)
        var configuration = HTTPServerConfiguration()
        configuration.workers = 1
        let server = try HTTPServer(
            configuration, probe: { $0.path == "/probe" ? .text("\($0.query.count) \($0.body.count)") : nil },
            handler: { request in
                isBusy.store(true, ordering: .relaxed)
                _ = Loopback.eventually { isReleased.load(ordering: .relaxed) }
                return .text("slow \(request.path)")
            })
        let slow = RawHTTPClient(port: server.port)
        slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(Loopback.eventually { isBusy.load(ordering: .relaxed) })
        let client = RawHTTPClient(port: server.port)
        for _ in 0..<20 {
            client.send("POST /probe?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
            #expect(client.answer()?.text == "1 3")
        }
        isReleased.store(true, ordering: .relaxed)
        #expect(slow.answer()?.text == "slow /slow")
        client.send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.answer()?.text == "slow /other")
        server.stop()
    }

    @Test func requestsBeyondTheWorkersWait() throws {
        let running = Atomic<Int>(0)
        let most = Atomic<Int>(0)
        var configuration = HTTPServerConfiguration()
        configuration.workers = 2
        let server = try HTTPServer(configuration) { _ in
            let now = running.wrappingAdd(1, ordering: .relaxed).newValue
            _ = most.max(now, ordering: .relaxed)
            usleep(1000)
            running.wrappingSubtract(1, ordering: .relaxed)
            return .text("ok")
        }
        let clients = (0..<40).map { _ in RawHTTPClient(port: server.port) }
        for client in clients { client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n") }
        for client in clients { #expect(client.answer()?.text == "ok") }
        let mostAtOnce = most.load(ordering: .relaxed)
        #expect(mostAtOnce <= 2)
        server.stop()
    }

    @Test func silentConnectionsLockNobodyOut() throws {
        let server = try echo { $0.maximumConnections = 8 }
        let kept = RawHTTPClient(port: server.port)
        let silent = (0..<30).map { index in
            let client = RawHTTPClient(port: server.port)
            if index % 3 == 1 { client.send("GET / HTTP/1.1\r\nHos") }
            if index % 3 == 2 { client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab") }
            // One that speaks now and then is not the longest silent, unless a busy machine accepts others after that.
            #expect(Loopback.eventually { server.statistics.acceptedConnections == index + 2 })
            kept.send("GET /kept HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(kept.answer()?.status == 200)
            return client
        }
        #expect(RawHTTPClient.get(server.port, "/")?.status == 200)
        #expect(silent[0].isClosed())
        #expect(server.statistics.evictedConnections >= 20)
        server.stop()
    }

    @Test func requestsUnderWayAreNotClosedForOthers() throws {
        let running = Atomic<Int>(0)
        let isReleased = Atomic<Bool>(false)
        var configuration = HTTPServerConfiguration()
        configuration.maximumConnections = 4
        let server = try HTTPServer(configuration) { _ in
            running.add(1, ordering: .relaxed)
            while !isReleased.load(ordering: .relaxed) { usleep(500) }
            return .text("done")
        }
        let busy = (0..<3).map { _ in RawHTTPClient(port: server.port) }
        for client in busy { client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n") }
        #expect(Loopback.eventually { running.load(ordering: .relaxed) == 3 })
        let silent = (0..<6).map { _ in RawHTTPClient(port: server.port) }
        #expect(silent[0].isClosed())
        isReleased.store(true, ordering: .relaxed)
        for client in busy { #expect(client.answer()?.text == "done") }
        server.stop()
    }

    @Test func handlerSeesThatTheClientHasGone() throws {
        let isBegun = Atomic<Bool>(false)
        let sawIt = Atomic<Bool>(false)
        let server = try HTTPServer(HTTPServerConfiguration()) { request in
            #expect(!request.isClientGone)
            isBegun.store(true, ordering: .relaxed)
            for _ in 0..<20_000 where !request.isClientGone { usleep(500) }
            sawIt.store(request.isClientGone, ordering: .relaxed)
            return .text("nobody reads this")
        }
        let client = RawHTTPClient(port: server.port)
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while !isBegun.load(ordering: .relaxed) { usleep(500) }
        client.hangUp()
        for _ in 0..<20_000 where !sawIt.load(ordering: .relaxed) { usleep(500) }
        let hasSeenIt = sawIt.load(ordering: .relaxed)
        #expect(hasSeenIt)
        server.stop()
    }

    @Test func stopLetsRunningRequestsFinish() throws {
        let isBegun = Atomic<Bool>(false)
        let server = try HTTPServer(HTTPServerConfiguration()) { request in
            isBegun.store(true, ordering: .relaxed)
            while !request.isClientGone { usleep(500) }
            return .text("finished")
        }
        let client = RawHTTPClient(port: server.port)
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while !isBegun.load(ordering: .relaxed) { usleep(500) }
        server.stop()
        #expect(client.answer()?.text == "finished")
        server.stop()
    }

    @Test func stopSendsAnswersToTheirEnd() throws {
        let size = 16 << 20
        let server = try HTTPServer(HTTPServerConfiguration()) { _ in .text(String(repeating: "x", count: size)) }
        let client = RawHTTPClient(port: server.port)
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        // Begun to arrive, but far too much for the buffers of the two sockets.
        #expect(Loopback.eventually { client.hasBytes })
        let stopping = try WorkerThread("stop") { server.stop() }
        usleep(100_000)
        #expect(client.answer()?.body.count == size)
        stopping.join()
    }

    @Test func portInUseIsSaid() throws {
        let server = try echo()
        let error = #expect(throws: HTTPServerError.self) {
            _ = try HTTPServer(HTTPServerConfiguration(port: server.port)) { _ in .text("") }
        }
        #expect(error?.code == .addressInUse)
        #expect(error?.description == "cannot listen on 127.0.0.1:\(server.port): Address already in use")
        server.stop()
        let next = try HTTPServer(HTTPServerConfiguration(port: server.port)) { _ in .text("") }
        next.stop()
    }

    @Test(arguments: [("127.0.0.1", 70000), ("203.0.113.7", 0)])
    func unusableAddressIsSaid(address: String, port: Int) {
        let error = #expect(throws: HTTPServerError.self) {
            _ = try HTTPServer(HTTPServerConfiguration(address: address, port: port)) { _ in .text("") }
        }
        #expect(error?.code == .badAddress)
    }

    @Test func everyInterfaceIsServedWithoutAnAddress() throws {
        let server = try echo { $0.addresses = [.tcp(host: "", port: 0)] }
        #expect(RawHTTPClient.get(server.port, "/")?.text == "GET / [] [] 0 127.0.0.1")
        server.stop()
    }
}
