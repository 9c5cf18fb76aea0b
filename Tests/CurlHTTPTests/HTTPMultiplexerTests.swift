import CurlHTTP
import Runtime
import Synchronization
import TestSupport
import Testing

@Suite struct HTTPMultiplexerTests {
    private typealias Outcome = Result<HTTPResponse, HTTPFailure>

    /// Runs until `count` results have arrived, by token.
    private func outcomes(_ multiplexer: HTTPMultiplexer, _ count: Int) -> [Int: Result<HTTPResponse, HTTPFailure>] {
        var outcomes: [Int: Outcome] = [:]
        let deadline = SystemClock.monotonicNanoseconds() + 20_000_000_000
        while outcomes.count < count, SystemClock.monotonicNanoseconds() < deadline {
            multiplexer.run(until: deadline) { outcomes[$0] = $1 }
        }
        return outcomes
    }

    private func prepared(_ url: String, timeout: Int64 = 30_000, limit: Int = 64 << 20) throws -> PreparedRequest {
        var request = HTTPRequest(url: url, timeoutMilliseconds: timeout)
        request.maximumBodyBytes = limit
        return try PreparedRequest(request)
    }

    private func body(_ outcome: Result<HTTPResponse, HTTPFailure>?) -> String? {
        guard case .success(let response)? = outcome else { return nil }
        return String(decoding: response.body, as: UTF8.self)
    }

    private func code(_ outcome: Result<HTTPResponse, HTTPFailure>?) -> HTTPFailure.Code? {
        guard case .failure(let failure)? = outcome else { return nil }
        return failure.code
    }

    @Test func manyRequestsRunAtOnceAndAHangingOneHoldsUpNobody() throws {
        let hanging = LoopbackServer { _ in .hang }
        defer { hanging.stop() }
        let server = LoopbackServer { .ok($0.target) }
        defer { server.stop() }
        let multiplexer = try HTTPMultiplexer()
        multiplexer.start(try prepared(hanging.url, timeout: 60_000), token: 50)
        for index in 0..<50 { multiplexer.start(try prepared("\(server.url)/\(index)"), token: index) }
        let found = outcomes(multiplexer, 50)
        for index in 0..<50 { #expect(body(found[index]) == "/\(index)") }
        #expect(found[50] == nil)
        var cancelled: [Int: Outcome] = [:]
        multiplexer.cancelAll { cancelled[$0] = $1 }
        #expect(cancelled.count == 1 && code(cancelled[50]) == .cancelled)
        #expect(multiplexer.count == 0)
    }

    @Test func laterRequestsReuseTheConnection() throws {
        let server = LoopbackServer { .ok($0.target) }
        defer { server.stop() }
        let multiplexer = try HTTPMultiplexer()
        let request = try prepared(server.url + "/again")
        for token in 0..<5 {
            multiplexer.start(request, token: token)
            #expect(body(outcomes(multiplexer, 1)[token]) == "/again")
        }
        #expect(server.connectionCount == 1)
    }

    /// A handle is reused from request to request; nothing of one may affect the next.
    @Test func requestsThatShareAHandleKeepTheirOwnURLHeaderAndOptions() throws {
        let server = LoopbackServer { request in
            request.target == "/redirect"
                ? .ok("", status: "302 Found", headers: "Location: /target\r\n")
                : .ok("\(request.target) \(request.headers["x-own"] ?? "none") \(request.headers["user-agent"] ?? "")")
        }
        defer { server.stop() }
        let multiplexer = try HTTPMultiplexer()
        var plain = HTTPRequest(url: server.url + "/plain")
        plain.headers = [("X-Own", "1"), ("User-Agent", "first")]
        var other = HTTPRequest(url: server.url + "/other")
        other.headers = [("User-Agent", "second")]
        var following = HTTPRequest(url: server.url + "/redirect")
        following.maximumRedirects = 3
        let staying = HTTPRequest(url: server.url + "/redirect")
        let requests = [plain, other, plain, following, staying, other]
        var answers: [String?] = []
        for request in requests {
            multiplexer.start(try PreparedRequest(request), token: 0)
            answers.append(body(outcomes(multiplexer, 1)[0]))
        }
        #expect(
            answers == [
                "/plain 1 first", "/other none second", "/plain 1 first", "/target none Tribune", "",
                "/other none second",
            ])
    }

    @Test func timeoutsEndByThemselves() throws {
        let hanging = LoopbackServer { _ in .hang }
        defer { hanging.stop() }
        let multiplexer = try HTTPMultiplexer()
        multiplexer.start(try prepared(hanging.url, timeout: 50), token: 7)
        #expect(code(outcomes(multiplexer, 1)[7]) == .timeout)
    }

    @Test func anotherThreadEndsTheWait() throws {
        let multiplexer = try HTTPMultiplexer()
        let waker = multiplexer.waker
        let thread = try WorkerThread("test-wake") { waker.wake() }
        defer { thread.join() }
        let begin = SystemClock.monotonicNanoseconds()
        multiplexer.run(until: begin + 50_000_000_000) { _, _ in }
        #expect(SystemClock.monotonicNanoseconds() < begin + 40_000_000_000)
    }

    @Test func bodiesShareABudgetAndGiveItBack() throws {
        let server = LoopbackServer { request in
            .ok(String(repeating: "x", count: request.target == "/small" ? 10_000 : 3_000_000))
        }
        defer { server.stop() }
        let budget = ByteBudget(limit: 1_000_000)
        let multiplexer = try HTTPMultiplexer(budget: budget)
        multiplexer.start(try prepared(server.url + "/large"), token: 0)
        let refused = outcomes(multiplexer, 1)[0]
        #expect(code(refused) == .budgetExceeded)
        #expect(budget.used == 0 && budget.refusals == 1)
        multiplexer.start(try prepared(server.url + "/small"), token: 1)
        guard case .success(let response)? = outcomes(multiplexer, 1)[1] else { Issue.record("refused"); return }
        #expect(response.body.count == 10_000)
        #expect(budget.used == response.budgeted && budget.used >= 10_000)
        multiplexer.start(try prepared(server.url + "/large", limit: 100_000), token: 2)
        #expect(code(outcomes(multiplexer, 1)[2]) == .bodyTooLarge)
        #expect(budget.used == response.budgeted, "what was received of it is given back")
    }

    @Test func recycledBuffersCarryTheNextBody() throws {
        let server = LoopbackServer { .ok($0.target == "/long" ? String(repeating: "long", count: 20_000) : "short") }
        defer { server.stop() }
        let budget = ByteBudget(limit: 1 << 20)
        let multiplexer = try HTTPMultiplexer(budget: budget)
        for (path, expected) in [("/long", 80_000), ("/short", 5), ("/long", 80_000)] {
            multiplexer.start(try prepared(server.url + path), token: 0)
            guard case .success(let response)? = outcomes(multiplexer, 1)[0] else { Issue.record("refused"); return }
            #expect(response.body.count == expected)
            budget.give(response.budgeted)
            multiplexer.recycle(response.body)
        }
        #expect(budget.used == 0)
    }

    /// The receiver of a body may change it without a copy, whether libcurl has read it or not.
    @Test(arguments: [0, 1]) func theReceiverIsTheOnlyOwnerOfABody(redirects: Int) throws {
        let server = LoopbackServer { request in
            request.target == "/from"
                ? .ok("", status: "302 Found", headers: "Location: /to\r\n")
                : .ok(String(repeating: "x", count: 100_000))
        }
        defer { server.stop() }
        let multiplexer = try HTTPMultiplexer()
        var request = HTTPRequest(url: server.url + (redirects == 0 ? "/" : "/from"))
        request.maximumRedirects = redirects
        multiplexer.start(try PreparedRequest(request), token: 0)
        var isDone = false
        let deadline = SystemClock.monotonicNanoseconds() + 20_000_000_000
        while !isDone, SystemClock.monotonicNanoseconds() < deadline {
            multiplexer.run(until: deadline) { _, outcome in
                isDone = true
                guard case .success(var response) = consume outcome else { Issue.record("failed"); return }
                var body = response.takeBody()
                let place = body.withUnsafeBytes { $0.baseAddress }
                body.append(0)
                #expect(body.withUnsafeBytes { $0.baseAddress } == place)
            }
        }
        #expect(isDone)
    }
}
