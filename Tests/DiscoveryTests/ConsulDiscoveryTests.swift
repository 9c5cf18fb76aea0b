import MetricModel
import Runtime
import Synchronization
import TestSupport
import Testing
import YAML

@testable import Discovery

/// A strict stand-in for Consul's agent: blocking queries over a catalogue that is changed by tests.
private final class ConsulStandIn: Sendable {
    private struct State {
        var index = 10
        var services: [String: (tags: [String], nodes: String)] = [:]
        var requests: [String] = []
        var fails = false
        var stopped = false
    }

    private let state = Mutex(State())
    private let server = Mutex<LoopbackServer?>(nil)

    init() {
        server.withLock { $0 = LoopbackServer { [unowned self] in answer($0) } }
    }

    var address: String { String((server.withLock { $0?.url } ?? "").dropFirst(7)) }
    var requests: [String] { state.withLock { $0.requests } }

    func stop() {
        state.withLock { $0.stopped = true }
        server.withLock { $0 }?.stop()
    }

    func set(_ name: String, tags: [String] = [], _ nodes: String?) {
        state.withLock { state in
            state.index += 1
            state.services[name] = nodes.map { (tags, $0) }
        }
    }

    func fail(_ fails: Bool) { state.withLock { $0.fails = fails } }

    private func answer(_ request: LoopbackServer.Request) -> LoopbackServer.Reply {
        state.withLock { $0.requests.append(request.target) }
        if state.withLock({ $0.fails }) { return .ok("no cluster leader", status: "500 Internal Server Error") }
        guard request.headers["x-consul-token"] == "secret" else { return .ok("", status: "403 Forbidden") }
        let parts = request.target.split(separator: "?", maxSplits: 1).map(String.init)
        if parts[0] == "/pre/v1/agent/self" { return .ok(#"{"Config": {"Datacenter": "dc1"}}"#) }
        var query: [String: String] = [:]
        for pair in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
            let sides = pair.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            query[sides[0]] = sides.count > 1 ? sides[1] : ""
        }
        guard query["stale"] != nil, query["dc"] ?? "dc1" == "dc1" else { return .ok("", status: "400 Bad Request") }
        // A blocking query has both, or neither.
        guard (query["index"] == nil) == (query["wait"] == nil) else { return .ok("", status: "400 Bad Request") }
        let wanted = query["index"].flatMap { Int($0) } ?? 0
        _ = Loopback.eventually(within: 20) { state.withLock { $0.index > wanted || $0.stopped } }
        return state.withLock { state in
            let headers = "X-Consul-Index: \(state.index)\r\n"
            if parts[0] == "/pre/v1/catalog/services" {
                let list = state.services.map { name, service in
                    "\"\(name)\": [\(service.tags.map { "\"\($0)\"" }.joined(separator: ", "))]"
                }
                return .ok("{\(list.joined(separator: ", "))}", type: "application/json", headers: headers)
            }
            let name = String(parts[0].dropFirst("/pre/v1/health/service/".count))
            return .ok("[\(state.services[name]?.nodes ?? "")]", type: "application/json", headers: headers)
        }
    }
}

@Suite struct ConsulDiscoveryTests {
    private static let web = """
        {"Node": {"Node": "n1", "Address": "10.0.0.1", "Datacenter": "dc1", "Meta": {"rack-id": "r1"},
          "TaggedAddresses": {"lan": "10.0.0.1", "wan": "1.2.3.4"}},
         "Service": {"ID": "web-1", "Service": "web", "Tags": ["prod", "v2"], "Address": "", "Port": 8080,
          "Meta": {"version": "2"}, "Namespace": "default", "Partition": "p"},
         "Checks": [{"CheckID": "serfHealth", "Status": "passing"}, {"CheckID": "service:web", "Status": "warning"}]}
        """
    private static let database = """
        {"Node": {"Node": "n2", "Address": "10.0.0.2"},
         "Service": {"ID": "db-1", "Service": "db", "Tags": null, "Address": "10.9.9.9", "Port": 5432}, "Checks": []}
        """

    private func bench(_ consul: ConsulStandIn, _ fields: String = "") throws -> DiscoveryBench {
        try DiscoveryBench(
            """
            consul_sd_configs:
            - {server: '\(consul.address)', path_prefix: /pre, token: secret, refresh_interval: 100ms\(fields)}
            """)
    }

    @Test func servicesOfTheCatalogueAreFollowed() throws {
        let consul = ConsulStandIn()
        defer { consul.stop() }
        consul.set("web", tags: ["prod", "v2"], Self.web)
        consul.set("db", Self.database)
        let bench = try bench(consul)
        defer { bench.runner.stop() }
        #expect(
            Loopback.eventually {
                bench.targets == [
                    [
                        "__address__": "10.0.0.1:8080", "__meta_consul_address": "10.0.0.1",
                        "__meta_consul_dc": "dc1", "__meta_consul_health": "warning",
                        "__meta_consul_metadata_rack_id": "r1", "__meta_consul_namespace": "default",
                        "__meta_consul_node": "n1", "__meta_consul_partition": "p", "__meta_consul_service": "web",
                        "__meta_consul_service_id": "web-1", "__meta_consul_service_metadata_version": "2",
                        "__meta_consul_service_port": "8080", "__meta_consul_tagged_address_lan": "10.0.0.1",
                        "__meta_consul_tagged_address_wan": "1.2.3.4", "__meta_consul_tags": ",prod,v2,",
                    ],
                    [
                        "__address__": "10.9.9.9:5432", "__meta_consul_address": "10.0.0.2",
                        "__meta_consul_dc": "dc1", "__meta_consul_health": "passing", "__meta_consul_node": "n2",
                        "__meta_consul_service": "db", "__meta_consul_service_address": "10.9.9.9",
                        "__meta_consul_service_id": "db-1", "__meta_consul_service_port": "5432",
                        "__meta_consul_tags": ",,",
                    ],
                ]
            }, "\(bench.targets)")
        consul.set("db", nil)
        consul.set("cache", Self.database.replacing("9.9.9", with: "8.8.8"))
        #expect(
            Loopback.eventually(within: 20) {
                bench.targets.map { $0["__address__"] } == ["10.0.0.1:8080", "10.8.8.8:5432"]
            }, "\(bench.targets)")
        consul.fail(true)
        consul.set("web", nil)
        #expect(Loopback.eventually { bench.counter("tribune_discovery_failures_total", "consul") > 0 })
        #expect(bench.targets.count == 2)
        #expect(consul.requests.contains { $0.contains("index=") && $0.contains("wait=120000ms") })
    }

    @Test func namedServicesNeedNoCatalogue() throws {
        let consul = ConsulStandIn()
        defer { consul.stop() }
        consul.set("web", Self.web)
        let bench = try bench(consul, ", services: [web], datacenter: dc1, node_meta: {rack: r1}, filter: 'a == b'")
        defer { bench.runner.stop() }
        #expect(Loopback.eventually { bench.targets.count == 1 })
        #expect(consul.requests.allSatisfy { $0.hasPrefix("/pre/v1/health/service/web?") })
        #expect(consul.requests.allSatisfy { $0.contains("node-meta=rack%3Ar1") })
    }

    @Test func tagsLimitTheCatalogue() throws {
        let consul = ConsulStandIn()
        defer { consul.stop() }
        consul.set("web", tags: ["prod", "v2"], Self.web)
        consul.set("db", tags: ["prod"], Self.database)
        let bench = try bench(consul, ", tags: [prod, v2]")
        defer { bench.runner.stop() }
        #expect(Loopback.eventually { bench.targets.count == 1 })
        #expect(consul.requests.contains { $0.contains("tag=prod&tag=v2") })
    }

    @Test func questionsKeepTheirDistance() {
        var watch = ConsulWatch(services: nil, interval: .seconds(30), now: 0)
        func asked(_ now: Int64) -> [(query: ConsulWatch.Query, index: UInt64)] { watch.due(now: now) }
        #expect(asked(0).map(\.index) == [0])
        #expect(asked(1).isEmpty && watch.nextDeadline == nil)
        let first = watch.answered(.catalogue, index: 7, now: 5)
        #expect(first && watch.nextDeadline == 30_000_000_000)
        #expect(asked(30_000_000_000).map(\.index) == [7])
        let second = watch.answered(.catalogue, index: 7, now: 40_000_000_000)
        #expect(!second)
        let none = watch.listed(["a", "b"], now: 1)
        #expect(none == [])
        #expect(Set(asked(1).map(\.query)) == [.service("a"), .service("b")])
        watch.failed(.service("a"), now: 2)
        let gone = watch.listed(["a"], now: 3)
        #expect(gone == ["b"])
        // A response for a removed service is ignored.
        let late = watch.answered(.service("b"), index: 9, now: 4)
        #expect(!late)
        #expect(asked(2 + ConsulWatch.retryNanoseconds).map(\.query) == [.service("a")])
        // A decreasing version restarts the query.
        #expect(asked(60_000_000_000).map(\.index) == [7])
        let restored = watch.answered(.catalogue, index: 3, now: 60_000_000_000)
        #expect(restored)
        #expect(asked(90_000_000_000).map(\.index) == [0])
    }

    @Test(arguments: [
        ("{server: ' '}", "consul SD configuration requires a server address"),
        ("{scheme: ftp}", "unsupported scheme \"ftp\""),
        (
            "{username: u, basic_auth: {username: v}}",
            "at most one of the configuration of basic_auth and username/password must be configured"
        ),
        ("{refresh_intervall: 1s}", "unknown field \"refresh_intervall\""),
    ])
    func faultsAreNamed(entry: String, message: String) {
        do throws(YAMLError) {
            _ = try DiscoveryBench.mechanisms("consul_sd_configs: [\(entry)]")
            Issue.record("accepted")
        } catch {
            #expect(error.message == message)
        }
    }
}
