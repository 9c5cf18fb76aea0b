import CurlHTTP
import MetricModel
import RouterFixtures
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Rollback
@testable import TrafficRouters

/// Against a real HAProxy. Skipped, saying so, where none is installed.
@Suite(.enabled(if: HAProxyFixture.program != nil, "haproxy is not installed"), .serialized)
struct HAProxyRouterTests {
    @Test("a running health check does not make the stable version unverified")
    func checksUnderWay() throws {
        let proxy = try HAProxyFixture()
        let router = proxy.router()
        let unverified = try (0..<1000).filter { _ in try router.read().stable != .healthy }
        #expect(unverified == [])
    }

    @Test("weights are set, read back and effective")
    func weights() throws {
        let proxy = try HAProxyFixture()
        let router = proxy.router()
        #expect(try router.read().split == TrafficSplit(candidate: 50))
        for candidate in [10, 100, 1, 99, 0] {
            let split = try #require(TrafficSplit(candidate: candidate))
            try router.shift(to: split, for: HAProxyFixture.operation)
            #expect(try router.read().split == split)
        }
        #expect(try proxy.answers(50) == ["blue": 50])
        try router.shift(to: .allCandidate, for: HAProxyFixture.operation)
        #expect(try proxy.answers(50) == ["green": 50])
        #expect(try router.read().stable == .healthy, "a weight of 0 is no illness")
    }

    @Test(
        "isolation is seen, and a new share for the candidate ends it",
        arguments: [TrafficRoute.Isolation.drain, .maint])
    func isolation(_ isolation: TrafficRoute.Isolation) throws {
        let proxy = try HAProxyFixture()
        let router = proxy.router(isolation: isolation)
        try router.shift(to: .allStable, for: HAProxyFixture.operation)
        try router.isolate(for: HAProxyFixture.operation)
        let isolated = try router.read()
        #expect(isolated.isCandidateIsolated)
        #expect(isolated.split == .allStable)
        try router.shift(to: try #require(TrafficSplit(candidate: 10)), for: HAProxyFixture.operation)
        #expect(try !router.read().isCandidateIsolated)
    }

    @Test("counts the requests of the candidate")
    func counters() throws {
        let proxy = try HAProxyFixture()
        let router = proxy.router()
        try router.shift(to: .allCandidate, for: HAProxyFixture.operation)
        let before = try #require(try router.read().candidateRequests)
        _ = try proxy.answers(7)
        #expect(try router.read().candidateRequests == before + 7)
    }

    @Test("a server that fails its checks is unhealthy")
    func health() throws {
        let proxy = try HAProxyFixture()
        proxy.blue.stop()
        let isSeen = try Loopback.eventually {
            if case .unhealthy = try proxy.router().read().stable { true } else { false }
        }
        #expect(isSeen)
    }

    @Test("the map is set and read back, and decides the traffic")
    func map() throws {
        let proxy = try HAProxyFixture()
        let router = HAProxyRouter(
            route: HAProxyRoute(
                address: proxy.socket, stable: [HAProxyServer(backend: "blues", server: "blue")],
                candidate: [HAProxyServer(backend: "greens", server: "green")],
                division: .map(.init(file: proxy.directory.file("split.map"), key: "mapped")), shutdownSessions: false),
            isolation: .none, timeout: .seconds(2))
        #expect(try router.read().split == TrafficSplit(candidate: 50))
        try router.shift(to: .allStable, for: HAProxyFixture.operation)
        #expect(try router.read().split == .allStable)
        #expect(try proxy.answers(50, path: "/mapped") == ["blue": 50])
        try router.shift(to: .allCandidate, for: HAProxyFixture.operation)
        #expect(try proxy.answers(50, path: "/mapped") == ["green": 50])
    }

    @Test("the TCP socket works as well")
    func tcp() throws {
        let proxy = try HAProxyFixture()
        let router = proxy.router(address: "127.0.0.1:\(proxy.adminPort)")
        try router.shift(to: .allStable, for: HAProxyFixture.operation)
        #expect(try router.read().split == .allStable)
    }

    @Test("a plain text reply of HAProxy is an error")
    func errors() throws {
        let proxy = try HAProxyFixture()
        #expect(throws: RouterError("HAProxy has no server auth/pink")) {
            try proxy.router(candidate: "pink").read()
        }
        #expect(throws: RouterError("HAProxy reports: No such server.")) {
            try proxy.router(candidate: "pink").shift(to: .allStable, for: HAProxyFixture.operation)
        }
        #expect(throws: RouterError("HAProxy reports: Can't find backend.")) {
            try proxy.router(backend: "nope").read()
        }
        #expect(throws: RouterError("cannot connect to /nonexistent: No such file or directory")) {
            try proxy.router(address: "/nonexistent").read()
        }
        #expect(throws: RouterError("not an IP address: localhost")) {
            try proxy.router(address: "localhost:1").read()
        }
    }

    @Test("a socket without a reply fails at the timeout")
    func hang() throws {
        let silent = LoopbackServer { _ in .hang }
        defer { silent.stop() }
        var router = try HAProxyFixture().router(address: "127.0.0.1:\(silent.port)")
        router = HAProxyRouter(route: router.route, isolation: .drain, timeout: .milliseconds(50))
        #expect(throws: RouterError("no response in time")) { try router.read() }
    }

    @Test("active requests on the candidate finish while it loses its traffic")
    func drain() throws {
        let started = Atomic<Int>(0)
        let gate = Mailbox<Int>(capacity: 1)
        let proxy = try HAProxyFixture { name in
            if name == "green" {
                started.wrappingAdd(1, ordering: .relaxed)
                // Health checks are TCP only: what arrives here is a request of this test.
                _ = gate.receive(deadline: SystemClock.monotonicNanoseconds() + 10_000_000_000)
            }
            return .ok(name)
        }
        let router = proxy.router()
        try router.shift(to: .allCandidate, for: HAProxyFixture.operation)
        let results = Mutex<[String]>([])
        let client = HTTPClient()
        let url = proxy.url
        let clients = try (0..<8).map { index in
            try WorkerThread("client \(index)") {
                let body = (try? client.send(HTTPRequest(url: url)))?.body ?? Array("failed".utf8)
                results.withLock { $0.append(String(decoding: body, as: UTF8.self)) }
            }
        }
        #expect(Loopback.eventually { started.load(ordering: .relaxed) == 8 })
        try router.shift(to: .allStable, for: HAProxyFixture.operation)
        try router.isolate(for: HAProxyFixture.operation)
        #expect(try proxy.answers(5) == ["blue": 5])
        gate.close()
        for client in clients { client.join() }
        #expect(results.withLock { $0 } == [String](repeating: "green", count: 8))
    }

    @Test("unequal numbers of servers get weights with the wanted shares, or the stage is refused")
    func unequal() {
        func route(_ stable: Int, _ candidate: Int) -> HAProxyRoute {
            func servers(_ count: Int) -> [HAProxyServer] {
                (0..<count).map { HAProxyServer(backend: "b", server: "s\($0)") }
            }
            return HAProxyRoute(
                address: "/s", stable: servers(stable), candidate: servers(candidate), division: .weights,
                shutdownSessions: false)
        }
        for (stable, candidate) in [(1, 1), (2, 1), (3, 1), (1, 3), (5, 4), (50, 50)] {
            for percent in 0...100 {
                guard let split = TrafficSplit(candidate: percent),
                    let weights = route(stable, candidate).weights(for: split)
                else { continue }
                let shares = weights.candidate * candidate
                #expect(TrafficSplit(candidateShares: shares, of: shares + weights.stable * stable) == split)
                #expect(max(weights.stable, weights.candidate) <= 256)
            }
        }
        #expect(route(3, 1).weights(for: .allCandidate) != nil)
        #expect(route(50, 1).weights(for: TrafficSplit(candidate: 51)!) == nil)
    }
}
