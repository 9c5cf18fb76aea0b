import CurlHTTP
import Runtime
import Synchronization
import TestSupport
import Testing

/// Responses of all forms over plain HTTP, which the multiplexer reads without libcurl. libcurl (`HTTPClient`) reads
/// the same responses for comparison.
@Suite struct PlainExchangeTests {
    private typealias Outcome = Result<HTTPResponse, HTTPFailure>

    private func run(_ multiplexer: HTTPMultiplexer, _ request: PreparedRequest, expected: Int = 0) -> Outcome? {
        var outcome: Outcome?
        multiplexer.start(request, token: 0, expectedBodyBytes: expected)
        let deadline = SystemClock.monotonicNanoseconds() + 20_000_000_000
        while outcome == nil, SystemClock.monotonicNanoseconds() < deadline {
            multiplexer.run(until: deadline) { outcome = $1 }
        }
        return outcome
    }

    private func request(_ url: String, timeout: Int64 = 20_000, limit: Int = 64 << 20) -> HTTPRequest {
        var request = HTTPRequest(url: url, timeoutMilliseconds: timeout)
        request.maximumBodyBytes = limit
        return request
    }

    /// Status, fields and body, or the kind of failure.
    private func text(_ outcome: Outcome?) -> String {
        switch outcome {
        case .success(let response)?:
            let fields = response.headers.map { "\($0.name)=\($0.value)" }.joined(separator: ";")
            return "\(response.status) \(fields) \(String(decoding: response.body, as: UTF8.self))"
        case .failure(let failure)?: return failure.code.rawValue
        case nil: return "nothing"
        }
    }

    private static let body = String(repeating: "metric{a=\"b\"} 1\n", count: 3)

    static let answers: [String] = [
        "HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\nX-A: b\r\n\r\n\(body)",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nab",
        "HTTP/1.1 200 OK\r\nX-Odd:  \u{1}\u{e9} \t\r\ncontent-length:2\r\n\r\nab",
        "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nbad",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nab",
    ]

    @Test(arguments: answers) func answersAreReadAsLibcurlReadsThem(answer: String) throws {
        let server = LoopbackServer { _ in .bytesThenClose(Array(answer.utf8)) }
        defer { server.stop() }
        let request = request(server.url)
        let expected: Outcome
        do throws(HTTPFailure) { expected = .success(try HTTPClient().send(request)) } catch {
            expected = .failure(error)
        }
        #expect(text(run(try HTTPMultiplexer(), try PreparedRequest(request))) == text(expected))
    }

    @Test(arguments: ["nonsense\r\n\r\n", "\u{0}\u{1}\u{2}\u{3}", "HTTP/1.1 101 Switching Protocols\r\n\r\n"])
    func whatIsNoAnswerIsRefused(answer: String) throws {
        let server = LoopbackServer { _ in .bytes(Array(answer.utf8)) }
        defer { server.stop() }
        #expect(text(run(try HTTPMultiplexer(), try PreparedRequest(request(server.url)))) == "other")
    }

    @Test(arguments: [
        "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip\r\nContent-Length: 2\r\n", "transfer-encoding: chunked, chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
    ])
    func otherCodingsThanChunksAreRefused(fields: String) throws {
        let server = LoopbackServer { _ in
            .bytesThenClose(Array("HTTP/1.1 200 OK\r\n\(fields)\r\n2\r\nab\r\n0\r\n\r\n".utf8))
        }
        defer { server.stop() }
        let outcome = run(try HTTPMultiplexer(), try PreparedRequest(request(server.url)))
        guard case .failure(let failure)? = outcome else {
            Issue.record("\(text(outcome))")
            return
        }
        #expect(failure.message.hasPrefix("unsupported Transfer-Encoding"), "\(failure)")
    }

    /// A response in two pieces, cut anywhere, and byte by byte.
    @Test(arguments: [answers[0], answers[1], answers[10]]) func piecesDoNotMatter(answer: String) throws {
        let bytes = Array(answer.utf8)
        let server = LoopbackServer { request in
            guard let cut = Int(request.target.dropFirst()) else { return .pieces(bytes.map { [$0] }) }
            return .pieces([Array(bytes[..<cut]), Array(bytes[cut...])])
        }
        defer { server.stop() }
        let multiplexer = try HTTPMultiplexer()
        var seen: Set<String> = []
        for path in bytes.indices.map({ "/\($0)" }) + ["/each"] {
            seen.insert(text(run(multiplexer, try PreparedRequest(request(server.url + path)))))
        }
        #expect(seen.count == 1 && seen.first?.hasPrefix("200 ") == true, "\(seen)")
        #expect(server.connectionCount == 1)
    }

    @Test(arguments: [0, 1, 15, 16, 17, 100, 2000].map { $0 << 10 }) func bodiesOfAnyLengthArriveWhole(count: Int)
        throws
    {
        let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7919 >> 3) }
        let server = LoopbackServer { request in
            switch request.target {
            case "/length": return .ok(body)
            case "/close": return .bytesThenClose(Array("HTTP/1.0 200 OK\r\n\r\n".utf8) + body)
            default:
                var bytes = Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
                var start = 0
                while start < count {
                    let end = min(count, start + 4001)
                    bytes +=
                        Array((String(end - start, radix: 16) + "\r\n").utf8) + body[start..<end] + Array("\r\n".utf8)
                    start = end
                }
                return .bytes(bytes + Array("0\r\n\r\n".utf8))
            }
        }
        defer { server.stop() }
        let budget = ByteBudget(limit: 1 << 30)
        let multiplexer = try HTTPMultiplexer(budget: budget)
        for path in ["/length", "/chunked", "/close", "/length"] {
            for (limit, expected) in [(count, 0), (count + 1, count), (64 << 20, 2 * count)] {
                let request = try PreparedRequest(request(server.url + path, limit: limit))
                guard case .success(let response)? = run(multiplexer, request, expected: expected) else {
                    Issue.record("\(path) fails with a limit of \(limit)")
                    continue
                }
                #expect(response.body == body, "\(path)")
                #expect(response.body.capacity >= count + HTTPMultiplexer.padding)
                budget.give(response.budgeted)
                multiplexer.recycle(response.body)
            }
            guard count > 0 else { continue }
            let refused = run(multiplexer, try PreparedRequest(request(server.url + path, limit: count - 1)))
            #expect(text(refused) == "bodyTooLarge", "\(path)")
        }
        #expect(budget.used == 0)
    }

    /// The loop is woken when as much has arrived as the last time. Other responses must not wait for that.
    @Test(arguments: [1, 1000, 100_000, 3_000_000]) func anAnswerMayBeShorterThanExpected(expected: Int) throws {
        let server = LoopbackServer { request in
            switch request.target {
            case "/chunks":
                .pieces(
                    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "2\r\nab\r\n", "0\r\n\r\n"].map {
                        Array($0.utf8)
                    })
            case "/close": .bytesThenClose(Array("HTTP/1.0 200 OK\r\n\r\nab".utf8))
            default: .ok("ab")
            }
        }
        defer { server.stop() }
        let multiplexer = try HTTPMultiplexer()
        for path in ["/", "/chunks", "/", "/close"] {
            let prepared = try PreparedRequest(request(server.url + path, timeout: 10_000))
            #expect(text(run(multiplexer, prepared, expected: expected)).hasSuffix(" ab"), "\(path)")
        }
    }

    /// Unexpected bytes belong to no response, however few they are.
    @Test func unaskedBytesCloseTheConnection() throws {
        let body = [UInt8](repeating: 0x61, count: 100_000)
        let server = LoopbackServer { _ in
            let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body
            return .pieces([Array(answer[..<90_000]), Array(answer[90_000...]), Array("c".utf8)])
        }
        defer { server.stop() }
        let multiplexer = try HTTPMultiplexer()
        let prepared = try PreparedRequest(request(server.url))
        for expected in [0, body.count] {
            #expect(text(run(multiplexer, prepared, expected: expected)).hasSuffix("a"))
            let deadline = SystemClock.monotonicNanoseconds() + 10_000_000_000
            while server.openCount > 0, SystemClock.monotonicNanoseconds() < deadline {
                multiplexer.run(until: SystemClock.monotonicNanoseconds() + 5_000_000) { _, _ in }
            }
            #expect(server.openCount == 0)
        }
    }

    @Test func idleConnectionsAreKeptForAWhile() throws {
        let server = LoopbackServer { _ in .ok("ab") }
        defer { server.stop() }
        let prepared = try PreparedRequest(request(server.url))
        for (age, connections) in [(60_000_000_000 as Int64, 1), (0, 4)] {
            let multiplexer = try HTTPMultiplexer(idleNanoseconds: age)
            for _ in 0..<3 { #expect(text(run(multiplexer, prepared)).hasSuffix(" ab")) }
            #expect(server.connectionCount == connections)
        }
    }

    /// Connections to servers that are no longer used do not stay open.
    @Test func connectionsThatAreIdleForTooLongAreClosed() throws {
        let (left, asked) = (LoopbackServer { _ in .ok("ab") }, LoopbackServer { _ in .ok("ab") })
        defer { for server in [left, asked] { server.stop() } }
        let multiplexer = try HTTPMultiplexer(idleNanoseconds: 0)
        _ = run(multiplexer, try PreparedRequest(request(left.url)))
        let deadline = SystemClock.monotonicNanoseconds() + 10_000_000_000
        repeat {
            _ = run(multiplexer, try PreparedRequest(request(asked.url)))
        } while left.openCount > 0
            && SystemClock.monotonicNanoseconds() < deadline
        #expect(left.openCount == 0)
    }

    /// The server closes after each answer, told or not: the next request finds that out before or after it is sent.
    @Test(arguments: ["", "Connection: close\r\n"]) func closedConnectionsAreMadeAnew(header: String) throws {
        let server = LoopbackServer { request in
            .bytesThenClose(
                Array(
                    "HTTP/1.1 200 OK\r\n\(header)Content-Length: \(request.target.count)\r\n\r\n\(request.target)".utf8)
            )
        }
        defer { server.stop() }
        let multiplexer = try HTTPMultiplexer()
        for round in 0..<50 {
            let outcome = run(multiplexer, try PreparedRequest(request(server.url + "/\(round)")))
            #expect(text(outcome).hasSuffix("/\(round)"))
        }
        #expect(server.connectionCount == 50)
    }

    @Test func aBrokenAnswerIsNotAskedForAgain() throws {
        let count = Mutex(0)
        let server = LoopbackServer { _ in
            let number = count.withLock { count in
                count += 1
                return count
            }
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
            return number == 1 ? .bytes(Array("\(answer)ab".utf8)) : .bytesThenClose(Array("\(answer)a".utf8))
        }
        defer { server.stop() }
        let multiplexer = try HTTPMultiplexer()
        let request = try PreparedRequest(request(server.url))
        #expect(text(run(multiplexer, request)).hasSuffix("ab"))
        #expect(text(run(multiplexer, request)) == "connect")
        #expect(count.withLock { $0 } == 2)
    }

    @Test func whatFollowsAnAnswerClosesTheConnection() throws {
        let server = LoopbackServer { _ in
            .bytes(
                Array(
                    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nxyz".utf8
                ))
        }
        defer { server.stop() }
        let multiplexer = try HTTPMultiplexer()
        let request = try PreparedRequest(request(server.url))
        for _ in 0..<3 { #expect(text(run(multiplexer, request)).hasSuffix(" ab")) }
        #expect(server.connectionCount == 3)
    }

    @Test func redirectsAreFollowed() throws {
        let server = LoopbackServer { request in
            request.target == "/from"
                ? .ok("no", status: "307 Temporary Redirect", headers: "Location: /to\r\n") : .ok(request.target)
        }
        defer { server.stop() }
        let multiplexer = try HTTPMultiplexer()
        var following = request(server.url + "/from")
        following.maximumRedirects = 1
        let prepared = try PreparedRequest(following)
        for _ in 0..<3 { #expect(text(run(multiplexer, prepared)).hasSuffix(" /to")) }
        #expect(text(run(multiplexer, try PreparedRequest(request(server.url + "/from")))).hasPrefix("307 "))
    }

    @Test func partsOfTheRequestAreThoseOfLibcurl() throws {
        let server = LoopbackServer { request in
            .ok("\(request.line) \(request.headers.map { "\($0.key)=\($0.value)" }.sorted())")
        }
        defer { server.stop() }
        let multiplexer = try HTTPMultiplexer()
        for path in ["", "/", "?a=b", "/a/../b/./c?d=e&f#g", "/%7Ex?%20", "/x?"] {
            var request = request(server.url + path)
            request.headers = [("X-Empty", ""), ("Accept", "a/b;q=0.5"), ("X-Y", "z")]
            request.authorize(user: "u", password: "p")
            let expected = try HTTPClient().send(request)
            #expect(text(run(multiplexer, try PreparedRequest(request))) == text(.success(expected)), "\(path)")
        }
    }

    @Test func failuresAreTold() throws {
        let silent = LoopbackServer { _ in .hang }
        defer { silent.stop() }
        let stalled = LoopbackServer { _ in
            .bytes(Array("HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\nabc".utf8))
        }
        defer { stalled.stop() }
        let mute = LoopbackServer { _ in .bytesThenClose([]) }
        defer { mute.stop() }
        let cut = LoopbackServer { _ in
            .bytesThenClose(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc".utf8))
        }
        defer { cut.stop() }
        let headless = LoopbackServer { _ in .bytesThenClose(Array("HTTP/1.1 200 OK\r\nContent-Le".utf8)) }
        defer { headless.stop() }
        let verbose = LoopbackServer { _ in
            .endless(
                head: Array("HTTP/1.1 200 OK\r\n".utf8),
                chunk: Array("X-Header: \(String(repeating: "y", count: 1000))\r\n".utf8))
        }
        defer { verbose.stop() }
        let endless = LoopbackServer { _ in
            .endless(head: Array("HTTP/1.1 200 OK\r\n\r\n".utf8), chunk: [UInt8](repeating: 0x61, count: 10_000))
        }
        defer { endless.stop() }
        let closed = LoopbackServer { _ in .hang }
        closed.stop()
        let budget = ByteBudget(limit: 10 << 20)
        let multiplexer = try HTTPMultiplexer(budget: budget)
        func code(_ server: LoopbackServer, timeout: Int64 = 20_000) throws -> String {
            text(run(multiplexer, try PreparedRequest(request(server.url, timeout: timeout, limit: 1 << 20))))
        }
        #expect(try code(silent, timeout: 50) == "timeout")
        #expect(try code(stalled, timeout: 50) == "timeout")
        #expect(try code(mute) == "connect")
        #expect(try code(cut) == "connect")
        #expect(try code(headless) == "connect")
        #expect(try code(verbose) == "other")
        #expect(try code(endless) == "bodyTooLarge")
        #expect(try code(closed) == "connect")
        #expect(budget.used == 0 && multiplexer.count == 0)
    }

    /// An announced length takes no memory from others.
    @Test func aHeadTakesNoMemoryForWhatHasNotCome() throws {
        let server = LoopbackServer { _ in .bytes(Array("HTTP/1.1 200 OK\r\nContent-Length: 60000000\r\n\r\nabc".utf8))
        }
        defer { server.stop() }
        let budget = ByteBudget(limit: 1 << 30)
        let multiplexer = try HTTPMultiplexer(budget: budget)
        multiplexer.start(try PreparedRequest(request(server.url)), token: 0)
        let deadline = SystemClock.monotonicNanoseconds() + 20_000_000_000
        while budget.used == 0, SystemClock.monotonicNanoseconds() < deadline {
            multiplexer.run(until: SystemClock.monotonicNanoseconds() + 10_000_000) { _, _ in }
        }
        #expect(budget.used > 0 && budget.used < 1 << 20)
        multiplexer.cancelAll { _, _ in }
        #expect(budget.used == 0 && multiplexer.count == 0)
    }
}
