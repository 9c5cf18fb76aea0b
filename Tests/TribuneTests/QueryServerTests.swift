import CurlHTTP
import DeploymentGates
import Glibc
import Instrumentation
import JSON
import MetricModel
import MetricStore
import PromQL
import RemoteQuery
import RolloutRunner
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Tribune

/// A `tribune serve` whose rules are evaluated by another server: one of which the test decides what it answers.
@Suite struct QueryServerTests {
    /// A query server.
    private final class StandIn: Sendable {
        enum Mode: Sendable {
            /// Every expression has one element with this value.
            case value(String)
            /// No expression has an element.
            case empty
            case partial
            case garbage
            case failing
            case silent
        }

        private struct State {
            var mode = Mode.empty
            var asked: [String] = []
        }

        private let box = Box()
        private let server: LoopbackServer

        init() {
            server = LoopbackServer { [box] request in box.answer(request) }
        }

        var port: Int { server.port }
        var mode: Mode {
            get { box.state.withLock { $0.mode } }
            set { box.state.withLock { $0.mode = newValue } }
        }
        var asked: [String] { box.state.withLock { $0.asked } }

        func stop() { server.stop() }

        private final class Box: Sendable {
            let state = Mutex(State())

            func answer(_ request: LoopbackServer.Request) -> LoopbackServer.Reply {
                let body = String(decoding: request.body, as: UTF8.self)
                let fields = body.split(separator: "&").map { $0.split(separator: "=", maxSplits: 1) }
                func field(_ name: String) -> String { fields.first { $0[0] == name }.map { String($0[1]) } ?? "" }
                let mode = state.withLock { state in
                    state.asked.append(field("query"))
                    return state.mode
                }
                func vector(_ elements: String, _ more: String = "") -> LoopbackServer.Reply {
                    .ok(#"{"status":"success","data":{"resultType":"vector","result":[\#(elements)]}\#(more)}"#)
                }
                switch mode {
                case .value(let value):
                    return vector(#"{"metric":{"service":"web"},"value":[\#(field("time")),"\#(value)"]}"#)
                case .empty: return vector("")
                case .partial: return vector("", #","isPartial":true"#)
                case .garbage: return .ok("<html>a login page</html>")
                case .failing:
                    return .ok(#"{"status":"error","error":"overloaded"}"#, status: "503 Service Unavailable")
                case .silent: return .hang
                }
            }
        }
    }

    private func start(_ server: StandIn) throws -> RunningTribune {
        try RunningTribune([
            "tribune.yml": """
            prometheus_config: prometheus.yml
            alertmanager_config: alertmanager.yml
            query: {url: 'http://127.0.0.1:\(server.port)/prometheus', timeout: 500ms}
            """,
            "alertmanager.yml": "route: {receiver: nobody, group_wait: 0s}\nreceivers: [{name: nobody}]\n",
            "prometheus.yml": "global: {evaluation_interval: 100ms}\nrule_files: [rules.yml]\n",
            "rules.yml": """
            groups:
            - name: far
              rules:
              - {record: recorded, expr: sum(requests)}
              - {alert: Down, expr: up == 0}
            - name: near
              query: own
              rules: [{record: own, expr: vector(5)}]
            """,
        ])
    }

    private func alerts(_ tribune: RunningTribune) throws -> [String: String] {
        let list = try JSON(parsing: try tribune.get("/api/v2/alerts").body).elements ?? []
        return Dictionary(
            list.map { ($0["labels"]?["alertname"]?.text ?? "", $0["annotations"]?["summary"]?.text ?? "") },
            uniquingKeysWith: { first, _ in first })
    }

    /// The state and the error of the alerting rule.
    private func rule(_ tribune: RunningTribune) throws -> (state: String, health: String, error: String) {
        let json = try JSON(parsing: try tribune.get("/api/v1/rules?type=alert").body)
        let rule = json["data"]?["groups"]?.elements?.lazy.compactMap { $0["rules"]?.elements?.first }.first
        return (rule?["state"]?.text ?? "", rule?["health"]?.text ?? "", rule?["lastError"]?.text ?? "")
    }

    @Test("a server that is partial, wrong, failing, silent: nothing rises or resolves, somebody is told, it recovers")
    func unknown() throws {
        let server = StandIn()
        defer { server.stop() }
        server.mode = .partial
        let tribune = try start(server)
        #expect(try Loopback.eventually { try rule(tribune).error.contains("isPartial") })
        #expect(try rule(tribune).state == "inactive")
        server.mode = .value("0")
        #expect(try Loopback.eventually { try rule(tribune).state == "firing" })
        #expect(
            try Loopback.eventually {
                try tribune.query("recorded") == [#"{"__name__":"recorded","service":"web"}"#: "0"]
            })
        let cases: [(StandIn.Mode, String)] = [
            (.garbage, "the answer is not JSON"), (.failing, "status 503: overloaded"), (.silent, "imed out"),
            (.partial, "isPartial"),
        ]
        for (mode, text) in cases {
            server.mode = mode
            let isTold = try Loopback.eventually { try rule(tribune).error.contains(text) }
            let error = try rule(tribune).error
            #expect(isTold && error.hasPrefix("query server default: "), "expected \(text), got \(error)")
            #expect(try rule(tribune).health == "err")
            // The empty answer that came with it would have been the end.
            #expect(try rule(tribune).state == "firing")
        }
        #expect(
            try Loopback.eventually {
                try alerts(tribune)["TribuneQueryServerUnanswered"]?.contains("isPartial") == true
            })
        let metrics = String(decoding: try tribune.get("/metrics").body, as: UTF8.self)
        #expect(metrics.contains(#"tribune_query_server_unanswered{server="default"} 1"#))
        #expect(metrics.contains(#"tribune_query_server_queries_total{server="default",result="partial"}"#))
        // Groups of the own store have gone on.
        #expect(try tribune.query("own").values.first == "5")
        server.mode = .empty
        #expect(try Loopback.eventually { try rule(tribune).state == "inactive" && rule(tribune).health == "ok" })
        #expect(try Loopback.eventually { try alerts(tribune)["TribuneQueryServerUnanswered"] == nil })
        #expect(!server.asked.contains("vector%285%29"))
    }

    @Test(
        "gates ask the server of rules, the one that they name, or the own store; without an answer they have no data")
    func gates() throws {
        let server = StandIn()
        defer { server.stop() }
        directory.write("global: {}\n", to: "prometheus.yml")
        let path = directory.write(
            """
            prometheus_config: prometheus.yml
            query: {url: 'http://127.0.0.1:1', timeout: 100ms}
            query_servers: [{name: other, url: 'http://127.0.0.1:\(server.port)'}]
            gates: {query: other}
            """, to: "tribune.yml")
        let configuration = try LoadedConfiguration.load(path, requiresRuleFiles: true)
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let queries = QuerySources(store, QueryEngine(), registry: Registry())
        queries.reload(configuration)
        server.mode = .value("7")
        #expect(queries.gate("x", "other") == .success([7]))
        #expect(queries.gate("vector(3)", "own") == .success([3]))
        #expect(try queries.gateData.evaluate("x").get().map(\.value) == [7])
        #expect(queries.troubles.isEmpty)
        #expect(throws: RollbackRunner.EvaluationFault.self) { try queries.gate("x", nil).get() }
        #expect(queries.troubles.map(\.server) == ["default"])
        server.mode = .partial
        #expect(throws: (any Error).self) { try queries.gateData.evaluate("x").get() }
        #expect(queries.troubles.map(\.server) == ["default", "other"])
        server.mode = .empty
        #expect(queries.gate("x", "other") == .success([]))
        #expect(try queries.gateData.evaluate("x").get().isEmpty)
        #expect(queries.troubles.map(\.server) == ["default"])
        // Samples are asked for as a range.
        let now = Timestamp(milliseconds: 1_700_000_000_000)
        let matchers = [Matcher("__name__", .equal, "x"), Matcher("env", .equal, "blue")]
        #expect(throws: (any Error).self) { try queries.gateData.select(matchers, now - .minutes(5), now).get() }
        #expect(server.asked.last == "%7B__name__%3D%22x%22%2Cenv%3D%22blue%22%7D%5B5m1ms%5D")
    }

    // MARK: Configuration

    private let directory = TemporaryDirectory()

    private func check(_ more: String, _ rules: String, gate: String = "{expr: up, healthy: '> 0'}") throws -> String {
        directory.write(rules, to: "rules.yml")
        directory.write(
            """
            plan: shop
            stages: [100]
            services:
            - name: web
              gates: [\(gate)]
              routes: [{haproxy: {address: /x, stable: [web/blue], candidate: [web/green]}}]
            """, to: "plan.yml")
        directory.write("rule_files: [rules.yml]\n", to: "prometheus.yml")
        let path = directory.write(
            "prometheus_config: prometheus.yml\nplans: [plan.yml]\n\(more)\n", to: "tribune.yml")
        return try TribuneProgram.run(["check", "config", path]).output.replacing("\(directory.path)/", with: "")
    }

    private static let rollback =
        "{rollback: R, expr: sum by (service) (x), trip: '> 1', immediate: true, action: {plan: shop}}"

    @Test("names of servers, and rules that a server cannot evaluate, are refused with file, line and field")
    func names() throws {
        let group = "groups:\n- name: g\n  query: thanos\n  rules: [{record: r, expr: up}]\n"
        #expect(
            try check("", group).contains(
                "FAILED: rules.yml:3:10: groups[0].query: there is no query server \"thanos\""))
        let servers = "query_servers: [{name: thanos, url: 'http://127.0.0.1:1'}]"
        #expect(!(try check(servers, group).contains("FAILED")))
        #expect(
            try check(servers, group + "- name: h\n  query: thanos\n  trigger: scrape\n  rules: []\n")
                .contains("FAILED: rules.yml:7:12: groups[1].trigger: the scrapes of the query server \"thanos\""))
        let immediate = "groups:\n- name: g\n  rules:\n  - \(Self.rollback)\n"
        #expect(!(try check("", immediate).contains("FAILED")))
        #expect(
            try check("query: {url: 'http://127.0.0.1:1'}", immediate)
                .contains("groups[0].rules[0].immediate: the scrapes of the query server \"default\""))
        #expect(
            !(try check(
                "query: {url: 'http://127.0.0.1:1'}",
                immediate.replacing("- name: g\n", with: "- name: g\n  query: own\n")
            )
            .contains("FAILED")))
        let gate = "{expr: up, healthy: '> 0', query: mimir}"
        #expect(try check("", "groups: []", gate: gate).contains("FAILED: plan.yml:5:"))
        #expect(
            try check(servers, "groups: []", gate: gate.replacing("mimir", with: "thanos")).contains("FAILED") == false)
        #expect(try check("gates: {query: mimir}", "groups: []").contains("FAILED: tribune.yml:3:"))
        #expect(
            try check("", "groups: [{name: g, partial_response_strategy: warn, rules: []}]")
                .contains("only \"abort\" is possible"))
        #expect(
            try check("query: {url: 'http://u:p@x'}", "groups: []")
                .contains("FAILED: tribune.yml:3:14: query.url: must contain no user and no password"))
    }
}
