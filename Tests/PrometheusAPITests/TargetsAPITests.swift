import JSON
import MetricModel
import Testing
import WebCore
import WebFixture

@testable import PrometheusAPI
@testable import Scraper

@Suite struct TargetsAPITests {
    private static func target(_ pool: String, _ instance: String) -> TargetSnapshot {
        TargetSnapshot(
            discoveredLabels: ["__address__": instance, "job": pool], labels: ["instance": instance, "job": pool],
            scrapePool: pool, scrapeURL: "http://\(instance)/metrics", lastError: "", lastScrape: nil,
            lastScrapeDuration: 0, health: .unknown, scrapeInterval: .seconds(15), scrapeTimeout: .seconds(10))
    }

    private func fixture() throws -> WebFixture {
        try WebFixture({ $0.externalURL = ExternalURL("http://tribune.example:9090")! }) { sources in
            sources.targets = { [Self.target("z", "localhost:80"), Self.target("a", "10.0.0.1:81")] }
            sources.droppedTargets = { [DroppedTarget(discoveredLabels: ["job": "z"], scrapePool: "z")] }
            sources.scrapePools = { ["z", "a"] }
            sources.metadata = {
                [
                    TargetMetadata(
                        target: ["job": "a"],
                        families: [
                            MetricMetadata(family: "up_total", type: "counter", help: "one", unit: ""),
                            MetricMetadata(family: "x", type: "gauge", help: "h", unit: "seconds"),
                        ]),
                    TargetMetadata(
                        target: ["job": "z"],
                        families: [
                            MetricMetadata(family: "up_total", type: "counter", help: "one", unit: ""),
                            MetricMetadata(family: "up_total", type: "counter", help: "two", unit: ""),
                        ]),
                ]
            }
        }
    }

    @Test func activeTargetsHavePrometheusShape() throws {
        let fixture = try fixture()
        let data = try fixture.data("/api/v1/targets?state=active")
        #expect(
            data["activeTargets"]?.elements?.last?.encoded
                == #"{"discoveredLabels":{"__address__":"localhost:80","job":"z"},"#
                + #""labels":{"instance":"localhost:80","job":"z"},"scrapePool":"z","#
                + #""scrapeUrl":"http://localhost:80/metrics","globalUrl":"http://tribune.example:80/metrics","#
                + #""lastError":"","lastScrape":"0001-01-01T00:00:00Z","lastScrapeDuration":0,"health":"unknown","#
                + #""scrapeInterval":"15s","scrapeTimeout":"10s"}"#)
        #expect(data["droppedTargets"] == [])
        #expect(data["droppedTargetCounts"] == .null)
    }

    /// The reason of a failed scrape is shown unchanged.
    @Test func theReasonOfAFailureIsShown() throws {
        let reason = "line 2: expected label value, got \"\\\"x\" <b>"
        let fixture = try WebFixture(sources: { sources in
            sources.targets = {
                var target = Self.target("z", "localhost:80")
                target.health = .down
                target.lastError = reason
                return [target]
            }
        })
        let target = try fixture.data("/api/v1/targets")["activeTargets"]?.elements?.first
        #expect(target?["health"]?.text == "down")
        #expect(target?["lastError"]?.text == reason)
    }

    @Test(arguments: [
        ("", "a z/1"), ("?state=active", "a z/0"), ("?state=dropped", "/1"), ("?state=any&scrapePool=a", "a/0"),
    ])
    func stateAndPoolFilter(parameters: String, expected: String) throws {
        let fixture = try fixture()
        let data = try fixture.data("/api/v1/targets\(parameters)")
        let pools = (data["activeTargets"]?.elements ?? []).compactMap { $0["scrapePool"]?.text }
        #expect("\(pools.joined(separator: " "))/\(data["droppedTargets"]?.elements?.count ?? -1)" == expected)
    }

    @Test func droppedTargetsAreCountedPerPool() throws {
        let fixture = try fixture()
        #expect(try fixture.data("/api/v1/targets")["droppedTargetCounts"]?.encoded == #"{"a":0,"z":1}"#)
        #expect(try fixture.data("/api/v1/scrape_pools").encoded == #"{"scrapePools":["a","z"]}"#)
    }

    @Test func metadataIsCollectedFromAllTargets() throws {
        let fixture = try fixture()
        #expect(
            try fixture.data("/api/v1/metadata").encoded
                == #"{"up_total":[{"type":"counter","help":"one","unit":""},{"type":"counter","help":"two","unit":""}],"#
                + #""x":[{"type":"gauge","help":"h","unit":"seconds"}]}"#)
        #expect(try fixture.data("/api/v1/metadata?metric=x").members?.count == 1)
        #expect(try fixture.data("/api/v1/metadata?limit=1").members?.count == 1)
        #expect(try fixture.data("/api/v1/metadata?limit_per_metric=1")["up_total"]?.elements?.count == 1)
        #expect(try fixture.error("/api/v1/metadata?limit=x") == "400 bad_data: limit must be a number")
    }

    @Test func targetMetadataNamesTheTarget() throws {
        let fixture = try fixture()
        #expect(try fixture.data("/api/v1/targets/metadata").elements?.count == 4)
        #expect(
            try fixture.data("/api/v1/targets/metadata?match_target={job=%22a%22}&metric=x").encoded
                == #"[{"target":{"job":"a"},"type":"gauge","help":"h","unit":"seconds"}]"#)
    }

    @Test(arguments: [
        ("http://localhost:80/metrics", "http://host.example:80/metrics"),
        ("https://127.0.0.1/m?x=1", "https://host.example/m?x=1"), ("http://[::1]:80/", "http://host.example:80/"),
        ("http://u:p@localhost/", "http://u:p@host.example/"), ("http://10.0.0.1:80/", "http://10.0.0.1:80/"),
        ("localhost", "localhost"), ("http://", "http://"), ("http://[::1", "http://[::1"),
    ])
    func globalURLHasTheExternalHost(url: String, expected: String) {
        #expect(PrometheusAPI.globalURL(of: url, externalURL: "http://host.example:9090/tribune") == expected)
    }
}
