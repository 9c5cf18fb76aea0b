import CurlHTTP
import Runtime
import TestSupport
import Testing

@Suite struct HTTPMultiplexerTests {
    private typealias Outcome = Result<HTTPResponse, HTTPFailure>

    private func receive(_ mailbox: Mailbox<Result<HTTPResponse, HTTPFailure>>) -> Result<HTTPResponse, HTTPFailure>? {
        let deadline = SystemClock.monotonicNanoseconds() + 20_000_000_000
        if case .message(let outcome) = mailbox.receive(deadline: deadline) { return outcome }
        return nil
    }

    @Test func manyRequestsRunAtOnceAndAHangingOneHoldsUpNobody() throws {
        let hanging = LoopbackServer { _ in .hang }
        defer { hanging.stop() }
        let server = LoopbackServer { .ok($0.target) }
        defer { server.stop() }
        let multiplexer = try HTTPMultiplexer()
        let slow = Mailbox<Outcome>(capacity: 1)
        let fast = Mailbox<Outcome>(capacity: 100)
        multiplexer.send(HTTPRequest(url: hanging.url, timeoutMilliseconds: 60_000)) { slow.send($0) }
        for index in 0..<50 {
            multiplexer.send(HTTPRequest(url: "\(server.url)/\(index)")) { fast.send($0) }
        }
        var bodies: Set<String> = []
        for _ in 0..<50 {
            if case .success(let response)? = receive(fast) {
                bodies.insert(String(decoding: response.body, as: UTF8.self))
            }
        }
        #expect(bodies.count == 50)
        #expect(slow.count == 0)
        multiplexer.stop()
        guard case .failure(let failure)? = receive(slow) else { Issue.record("no outcome"); return }
        #expect(failure.code == .cancelled)
    }

    @Test func laterRequestsReuseTheConnection() throws {
        let server = LoopbackServer { _ in .ok("") }
        defer { server.stop() }
        let multiplexer = try HTTPMultiplexer()
        defer { multiplexer.stop() }
        let done = Mailbox<Outcome>(capacity: 1)
        for _ in 0..<5 {
            multiplexer.send(HTTPRequest(url: server.url)) { done.send($0) }
            _ = receive(done)
        }
        #expect(server.connectionCount == 1)
    }

    @Test func timeoutsEndByThemselves() throws {
        let hanging = LoopbackServer { _ in .hang }
        defer { hanging.stop() }
        let multiplexer = try HTTPMultiplexer()
        defer { multiplexer.stop() }
        let done = Mailbox<Outcome>(capacity: 1)
        multiplexer.send(HTTPRequest(url: hanging.url, timeoutMilliseconds: 50)) { done.send($0) }
        guard case .failure(let failure)? = receive(done) else { Issue.record("no outcome"); return }
        #expect(failure.code == .timeout)
    }

    @Test func requestsAfterTheEndAreRefused() throws {
        let multiplexer = try HTTPMultiplexer()
        multiplexer.stop()
        let done = Mailbox<Outcome>(capacity: 1)
        multiplexer.send(HTTPRequest(url: "http://127.0.0.1/")) { done.send($0) }
        guard case .failure(let failure)? = receive(done) else { Issue.record("no outcome"); return }
        #expect(failure.code == .cancelled)
    }
}
