import CurlHTTP
import JSON
import MetricModel
import RolloutRunner
import RouterFixtures
import RuleModel
import Runtime
import Synchronization
import TestSupport
import Testing
import YAML

@testable import Rollback
@testable import TrafficRouters

/// Against a real Envoy. Skipped with a message if there is none.
@Suite(.enabled(if: EnvoyFixture.program != nil, "Envoy is not there: ./test fetches it from PyPI"), .serialized)
struct EnvoyRouterTests {
    private static let runtime = EnvoyRoute.Division.runtime(prefix: "auth")

    private func shift(_ router: EnvoyRouter, to candidate: Int) throws {
        try router.shift(to: try #require(TrafficSplit(candidate: candidate)), for: HAProxyFixture.operation)
    }

    private func answers(_ url: String, _ count: Int = 30) throws -> Set<String> {
        let client = HTTPClient()
        return Set(
            try (0..<count).map { _ in String(decoding: try client.send(HTTPRequest(url: url)).body, as: UTF8.self) })
    }

    @Test("weights are applied through file and runtime keys, including 0, and are read back")
    func weights() throws {
        let envoy = try EnvoyFixture()
        for (division, url) in [(nil, envoy.url), (Self.runtime, envoy.runtimeURL)] {
            let router = envoy.router(division)
            #expect(try router.read().split == TrafficSplit(candidate: 50))
            #expect(try answers(url) == ["blue", "green"])
            for (candidate, wanted) in [(0, ["blue"]), (100, ["green"]), (30, ["blue", "green"]), (0, ["blue"])] {
                try shift(router, to: candidate)
                let seen = try router.read()
                #expect(seen.split?.candidate == candidate)
                #expect(seen.isCandidateIsolated == (candidate == 0))
                #expect(try answers(url, candidate == 30 ? 100 : 30) == Set(wanted))
            }
            #expect(try #require(router.read().candidateRequests) > 30, "requests are counted")
        }
        #expect(try answers(envoy.url + "testers") == ["green"], "routes with one cluster are left alone")
        let text = FileText.read(envoy.directory.file("routes.json")) ?? ""
        #expect(text.contains("3s"), "the rest of the file is kept")
    }

    @Test("a route file written under a later epoch is not written over, nor is one without the lease")
    func epochOfTheFile() throws {
        let envoy = try EnvoyFixture()
        let file = envoy.directory.file("routes.json")
        var router = envoy.router(nil)
        router.fence = Fence(isShared: true) { _ in true }
        func attempt(_ candidate: Int, _ epoch: UInt64) throws -> String {
            var operation = HAProxyFixture.operation
            operation.epoch = epoch
            let split = try #require(TrafficSplit(candidate: candidate))
            do throws(RouterError) {
                try router.shift(to: split, for: operation)
                return ""
            } catch {
                return error.description
            }
        }
        #expect(try attempt(20, 8) == "")
        let written = try #require(FileText.read(file))
        #expect(written.contains("epoch 8"))
        #expect(try attempt(100, 7).contains("written under epoch 8"))
        #expect(FileText.read(file) == written)
        #expect(try router.read().split?.candidate == 20)
        router.fence = Fence(isShared: true) { _ in false }
        #expect(try attempt(100, 9) == "the lease no longer permits it")
        #expect(FileText.read(file) == written)
        router.fence = Fence(isShared: true) { _ in true }
        #expect(try attempt(0, 9) == "", "the next holder goes on")
        #expect(try router.read().split == .allStable)
    }

    @Test("no request fails during a shift, and none reaches the candidate after it", arguments: [true, false])
    func traffic(throughFile: Bool) throws {
        let envoy = try EnvoyFixture()
        let router = envoy.router(throughFile ? nil : Self.runtime)
        let traffic = try SteadyTraffic(throughFile ? envoy.url : envoy.runtimeURL)
        let end = SystemClock.monotonicNanoseconds(in: 3000)
        var shifts: [(done: Int64, wanted: String, next: Int64)] = []
        while SystemClock.monotonicNanoseconds() < end {
            let next = SystemClock.monotonicNanoseconds()
            if !shifts.isEmpty { shifts[shifts.count - 1].next = next }
            let isBack = shifts.count % 2 == 1
            try shift(router, to: isBack ? 0 : 100)
            shifts.append((SystemClock.monotonicNanoseconds(), isBack ? "blue" : "green", .max))
            let sent = traffic.count
            #expect(Loopback.eventually { traffic.count > sent + 20 })
        }
        let answers = traffic.stop()
        #expect(shifts.count > 4)
        #expect(answers.count > 500)
        #expect(answers.filter { $0.text == nil }.count == 0, "requests failed")
        for shift in shifts {
            let between = answers.filter { $0.sent > shift.done && $0.sent < shift.next - 50_000_000 }
            #expect(
                between.filter { $0.text != shift.wanted }.count == 0, "requests after the shift to \(shift.wanted)")
        }
        print("Envoy, \(throughFile ? "file" : "runtime"): \(answers.count) requests, \(shifts.count) shifts")
    }

    @Test("health comes from Envoy's own checks; without checks, hosts or cluster nothing is healthy")
    func health() throws {
        let envoy = try EnvoyFixture()
        let router = envoy.router()
        #expect(try router.read().stable == .healthy)
        envoy.health.isGood.store(false, ordering: .relaxed)
        #expect(try Loopback.eventually { try router.read().stable == .unhealthy("failed active health check") })
        let admin = EnvoyAdmin(
            url: router.route.admin, client: HTTPClient(), deadline: SystemClock.monotonicNanoseconds(in: 5000))
        #expect(try admin.health(of: "unchecked") == .unknown("the cluster unchecked has no health checks"))
        #expect(try admin.health(of: "nosuch") == .unhealthy("Envoy has no cluster nosuch"))
    }

    @Test("routes that Envoy refuses are restored and reported as refused")
    func refused() throws {
        let envoy = try EnvoyFixture()
        let bad = EnvoyFixture.document(version: "2", blue: 50, green: 50, domains: "")
        let router = envoy.router()
        envoy.publish(bad)
        let error = #expect(throws: RouterError.self) { try shift(router, to: 0) }
        #expect(error?.description.hasPrefix("Envoy rejected the routes") == true, "\(String(describing: error))")
        #expect(
            FileText.read(envoy.directory.file("routes.json")).map { try? JSON(parsing: $0) }
                == (try JSON(parsing: bad)))
        #expect(try answers(envoy.url) == ["blue", "green"])
        envoy.publish("{")
        let other = #expect(throws: RouterError.self) { try shift(router, to: 0) }
        #expect(other?.description.contains("must be written as JSON") == true)
    }

    @Test("a file that Envoy does not run has no weights")
    func notLoaded() throws {
        let envoy = try EnvoyFixture()
        // Written in place instead of renamed: Envoy does not notice.
        envoy.directory.write(EnvoyFixture.document(version: "2", blue: 100, green: 0), to: "routes.json")
        #expect(try envoy.router().read().split == nil)
        envoy.directory.write(EnvoyFixture.document(version: "1", blue: 100, green: 0), to: "routes.json")
        #expect(try envoy.router().read().split == nil)
    }

    @Test("runtime keys that no route uses, and routes that do not name both clusters, are errors")
    func nothingToDivide() throws {
        let envoy = try EnvoyFixture()
        for router in [
            envoy.router(.runtime(prefix: "nosuch")), envoy.router(candidate: "unchecked"),
            envoy.router(.discoveryFile(path: envoy.directory.file("routes.json"), configuration: "nosuch")),
        ] {
            #expect(throws: RouterError.self) { try router.read() }
            #expect(throws: RouterError.self) { try shift(router, to: 0) }
        }
        #expect(try answers(envoy.url) == ["blue", "green"])
    }

    @Test("a trip rolls back through Envoy under traffic; an unhealthy stable version freezes it; drift is corrected")
    func rollback() throws {
        let envoy = try EnvoyFixture()
        let plan = try RolloutPlan(
            parsing: """
                plan: acgs
                stages: [50, 100]
                bake: 1h
                reconcile: 200ms
                validation: {rounds: 2, interval: 20ms, timeout: 10s}
                services:
                - name: auth
                  routes:
                  - envoy:
                      admin: http://127.0.0.1:\(envoy.adminPort)
                      stable: blue
                      candidate: green
                      rds: {file: \(envoy.directory.file("routes.json")), route_config: auth}
                  - envoy:
                      admin: http://127.0.0.1:\(envoy.adminPort)
                      stable: blue
                      candidate: green
                      runtime: {prefix: auth}
                """, file: "plan.yml")
        let notices = Mutex<[RollbackNotice]>([])
        let runner = try RollbackRunner(
            plans: [plan], settings: .init(directory: envoy.directory.path),
            sinks: RollbackSinks(notice: { notice in notices.withLock { $0.append(notice) } }))
        try runner.start()
        defer { runner.stop() }
        #expect(runner.command(RolloutCommand(.start, by: "ops"), plan: "acgs") == .accepted)
        try #require(
            Loopback.eventually { runner.snapshots[0].services[0].progress == "baking" },
            "\(runner.snapshots[0].json.encoded)")
        envoy.health.isGood.store(false, ordering: .relaxed)
        try #require(try Loopback.eventually { try envoy.router().read().stable != .healthy })
        runner.measured(Self.violation)
        #expect(Loopback.eventually { runner.snapshots[0].services[0].frozen != nil })
        #expect(Loopback.eventually { notices.withLock { $0.contains { $0.kind == .page } } })
        #expect(try envoy.router().read().split == TrafficSplit(candidate: 50), "never to a target that is down")
        envoy.health.isGood.store(true, ordering: .relaxed)
        try #require(try Loopback.eventually { try envoy.router().read().stable == .healthy })
        let traffic = try SteadyTraffic(envoy.url)
        #expect(Loopback.eventually { runner.snapshots[0].phase == "rolled_back" })
        #expect(runner.snapshots[0].report?.rollback.verdict?.isValid == true)
        let back = SystemClock.monotonicNanoseconds()
        let sent = traffic.count
        #expect(Loopback.eventually { traffic.count > sent + 100 })
        let answers = traffic.stop()
        let failed = answers.filter { $0.text == nil }.map { ($0.sent - back) / 1_000_000 }
        #expect(failed.isEmpty, "requests failed, at these milliseconds after the rollback")
        let late = answers.filter { $0.sent > back && $0.text == "green" }.map { ($0.sent - back) / 1_000_000 }
        #expect(late.isEmpty, "the candidate got requests, at these milliseconds after the rollback")
        // A restarted Envoy has forgotten its runtime keys.
        try envoy.start()
        #expect(try Loopback.eventually { try envoy.router(Self.runtime).read().split == .allStable })
        envoy.publish(EnvoyFixture.document(version: "9", blue: 50, green: 50))
        #expect(try Loopback.eventually { try envoy.router().read().split == .allStable })
    }

    private static var violation: RollbackMeasurement {
        RollbackMeasurement(
            rule: "f;g;Low", ruleHash: "h",
            definition: RollbackDefinition(
                name: "Low", expression: "x", trip: .init(.less, 0.95), consecutive: 1,
                action: .init(plan: "acgs", scope: .all)),
            time: Timestamp(milliseconds: SystemClock.wallMilliseconds()),
            causeNanoseconds: SystemClock.monotonicNanoseconds(), elements: [.init(labels: .empty, value: 0.5)])
    }
}

/// Tests without an Envoy.
struct EnvoyRouteTests {
    @Test(
        "faults in a route are told with their field",
        arguments: [
            ("{stable: a, candidate: b, runtime: {prefix: p}}", "admin"),
            ("{admin: 'ftp://x', stable: a, candidate: b, runtime: {prefix: p}}", "envoy.admin"),
            ("{admin: 'http://x', stable: a, candidate: a, runtime: {prefix: p}}", "envoy.candidate"),
            ("{admin: 'http://x', stable: a, candidate: b}", "exactly one of rds and runtime"),
            ("{admin: 'http://x', stable: a, candidate: b, rds: {file: r.json, route_config: x}}", "envoy.rds.file"),
            ("{admin: 'http://x', stable: a, candidate: b, rds: {file: /r.json}}", "route_config"),
            ("{admin: 'http://x', stable: a, candidate: b, runtime: {prefix: 'a b'}}", "envoy.runtime.prefix"),
            ("{admin: 'http://x', stable: a, candidate: b, runtime: {prefix: p, x: 1}}", "envoy.runtime.x"),
        ])
    func faults(text: String, words: String) throws {
        let node = try YAML.parse(text, file: "p.yml")[0]
        let error = #expect(throws: YAMLError.self) { try EnvoyRoute(node, path: "envoy", file: "p.yml") }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }

    @Test("routes that divide between three clusters, or disagree, have no weights")
    func divisions() throws {
        func configuration(_ routes: String...) throws -> JSON {
            try JSON(parsing: #"{"name": "r", "virtual_hosts": [{"routes": ["# + routes.joined(separator: ",") + "]}]}")
        }
        func route(_ clusters: String) -> String {
            #"{"route": {"weighted_clusters": {"clusters": ["# + clusters + "]}}}"
        }
        let division = EnvoyDivision(stable: "a", candidate: "b")
        let half = route(#"{"name": "a", "weight": 1}, {"name": "b", "weight": 1}"#)
        let zero = route(#"{"name": "a", "weight": 7}, {"name": "b"}"#)
        let none = route(#"{"name": "a", "weight": 0}, {"name": "b", "weight": 0}"#)
        let three = route(#"{"name": "a", "weight": 1}, {"name": "b", "weight": 1}, {"name": "c", "weight": 1}"#)
        #expect(try division.split(of: [configuration(half)]) == TrafficSplit(candidate: 50))
        #expect(try division.split(of: [configuration(zero)]) == .allStable)
        #expect(try division.split(of: [configuration(none)]) == nil)
        #expect(try division.split(of: [configuration(half), configuration(zero)]) == nil)
        #expect(throws: RouterError.self) { try division.split(of: [configuration(three)]) }
        #expect(throws: RouterError.self) { try division.split(of: [configuration(route("{}"))]) }
        let both = try division.setting(.allCandidate, in: configuration(half, zero))
        #expect(try division.split(of: [both]) == .allCandidate)
        #expect(both.encoded.contains(#""weight":0"#), "an explicit 0 is written")
    }
}
