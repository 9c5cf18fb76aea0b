import MetricModel
import TestSupport
import Testing
import YAML

@testable import Discovery

@Suite struct HTTPDiscoveryTests {
    private static let json = "application/json; charset=utf-8"

    @Test func groupsAreTakenOverAndKeptOverFailures() throws {
        let answer = Changing(
            LoopbackServer.Reply.ok(#"[{"targets": ["a:1", "b:2"], "labels": {"team": "x"}}]"#, type: Self.json))
        let asked = Changing<LoopbackServer.Request?>(nil)
        let server = LoopbackServer { request in
            asked.value = request
            return answer.value
        }
        defer { server.stop() }
        let bench = try DiscoveryBench("http_sd_configs: [{url: '\(server.url)/sd', refresh_interval: 100ms}]")
        defer { bench.runner.stop() }
        let url = "\(server.url)/sd"
        #expect(
            bench.targets == [
                ["__address__": "a:1", "__meta_url": url, "team": "x"],
                ["__address__": "b:2", "__meta_url": url, "team": "x"],
            ])
        #expect(asked.value?.target == "/sd")
        #expect(asked.value?.headers["accept"] == "application/json")
        #expect(asked.value?.headers["x-prometheus-refresh-interval-seconds"] == "0.1")
        let failures = [
            LoopbackServer.Reply.ok("[]", type: "text/plain"),
            .ok("[{\"targets\": [1]}]", type: Self.json), .ok("[null]", type: Self.json),
            .ok("", type: Self.json), .ok("[{\"target\": []}]", type: Self.json),
        ]
        for failure in failures {
            let before = bench.counter("tribune_discovery_failures_total", "http")
            answer.value = failure
            #expect(Loopback.eventually { bench.counter("tribune_discovery_failures_total", "http") > before + 1 })
            #expect(bench.targets.count == 2)
        }
        answer.value = .ok(#"[{"targets": ["c:3"]}, {"targets": []}]"#, type: Self.json)
        #expect(Loopback.eventually { bench.targets == [["__address__": "c:3", "__meta_url": url]] })
    }

    @Test(arguments: [
        ("{}", "URL is missing"), ("{url: 'ftp://a/'}", "URL scheme must be 'http' or 'https'"),
        ("{url: 'http:///x'}", "host is missing in URL"), ("null", "empty or null section in http_sd_configs"),
        ("{url: 'http://a/', x: 1}", "unknown field \"x\""),
    ])
    func faultsAreNamed(entry: String, message: String) {
        do throws(YAMLError) {
            _ = try DiscoveryBench.mechanisms("http_sd_configs: [\(entry)]")
            Issue.record("accepted")
        } catch {
            #expect(error.message == message)
        }
    }

    @Test func stoppingDoesNotWaitForAnAnswer() throws {
        let server = LoopbackServer { _ in .hang }
        defer { server.stop() }
        let bench = try DiscoveryBench("http_sd_configs: [{url: '\(server.url)/sd', refresh_interval: 10m}]")
        let clock = ContinuousClock()
        let duration = clock.measure { bench.runner.stop() }
        #expect(duration < .seconds(60))
        #expect(bench.targets.isEmpty)
    }
}
