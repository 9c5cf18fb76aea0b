import MetricModel
import Testing

@testable import Scraper

@Suite struct ScrapeTargetTests {
    private func build(_ address: String, _ labels: Labels = .empty, _ pool: ScrapePool = ScrapePool(name: "job"))
        throws
        -> ScrapeTarget.Outcome
    {
        ScrapeTarget.build(
            ["__address__": address], group: labels, pool: pool, relabelling: try Relabelling(pool.relabelRules))
    }

    private func target(_ outcome: ScrapeTarget.Outcome) -> ScrapeTarget? {
        if case .target(let target) = outcome { target } else { nil }
    }

    @Test func plainTargetsGetJobAndInstance() throws {
        let target = try #require(target(try build("host:9100", ["env": "green"])))
        #expect(target.labels == ["job": "job", "instance": "host:9100", "env": "green"])
        #expect(target.identity.url == "http://host:9100/metrics")
        #expect(
            target.discoveredLabels == [
                "__address__": "host:9100", "__metrics_path__": "/metrics", "__scheme__": "http",
                "__scrape_interval__": "1m", "__scrape_timeout__": "10s", "env": "green", "job": "job",
            ])
    }

    @Test func reservedLabelsSteerTheScrape() throws {
        var pool = ScrapePool(name: "job")
        pool.parameters = [.init(name: "x", values: ["1", "2"]), .init(name: "module", values: ["m"])]
        let labels: Labels = [
            "__metrics_path__": "/a b", "__scheme__": "https", "__param_x": "ö/", "__param_new": "n",
            "__scrape_interval__": "5s", "__scrape_timeout__": "2s", "job": "other", "instance": "named",
        ]
        let target = try #require(target(try build("h", labels, pool)))
        #expect(target.identity.url == "https://h/a%20b?module=m&new=n&x=%C3%B6%2F&x=2")
        #expect(target.labels == ["job": "other", "instance": "named"])
        #expect((target.interval, target.timeout) == (.seconds(5), .seconds(2)))
    }

    @Test func relabellingSeesReservedLabelsAndMayDrop() throws {
        var pool = ScrapePool(name: "job")
        var rule = RelabelRule()
        rule.sourceLabels = ["__address__"]
        rule.regex = "drop:.*"
        rule.action = .drop
        pool.relabelRules = [rule]
        guard case .dropped(let labels) = try build("drop:1", .empty, pool) else { Issue.record("kept"); return }
        #expect(labels["__address__"] == "drop:1")
        #expect(target(try build("keep:1", .empty, pool)) != nil)
    }

    @Test func relabellingOverridesHistogramSettingsOfOneTarget() throws {
        var pool = ScrapePool(name: "job")
        pool.histograms.convertsClassic = true
        let labels: Labels = [
            "__scrape_native_histograms__": "true", "__convert_classic_histograms_to_nhcb__": "false",
        ]
        let target = try #require(target(try build("h", labels, pool)))
        #expect(target.histograms.scrapesNative && !target.histograms.convertsClassic)
        #expect(!target.histograms.alwaysScrapesClassic && target.labels == ["instance": "h", "job": "job"])
        let faulty = try build("h", ["__always_scrape_classic_histograms__": "yes"], pool)
        guard case .faulty(_, let reason) = faulty else { Issue.record("\(faulty)"); return }
        #expect(reason == "__always_scrape_classic_histograms__ is \"yes\", expected true or false")
    }

    @Test(arguments: [
        ("x", "1s", "error parsing scrape interval"), ("1s", "0", "error parsing scrape timeout"),
        ("1s", "2s", "scrape timeout cannot be greater than scrape interval"),
    ])
    func unusableLabelsAreFaults(interval: String, timeout: String, message: String) throws {
        let labels: Labels = ["__scrape_interval__": interval, "__scrape_timeout__": timeout]
        guard case .faulty(_, let reason) = try build("h:1", labels) else {
            Issue.record("accepted")
            return
        }
        #expect(reason == message)
    }
}
