import CurlHTTP
import Foundation
import Identity
import JSON
import MetricModel
import Testing
import WebFixture

/// Identities that see only series with certain labels, as prom-label-proxy enforces them.
@Suite struct LabelLimitTests {
    private func fixture() throws -> WebFixture {
        let fixture = try WebFixture({ settings in
            settings.access = AccessPolicy()
            settings.access.thisMachine = PermissionSet(.probe)
            var scope = Scope()
            scope.labels = [.init(name: "team", values: ["shop", "b.nk"])]
            settings.access.tokens = [
                .init(.init("shop", roles: [.observer, .responder, .operator], scope: scope), text: "t"),
                .init(.init("all", roles: [.observer]), text: "all"),
            ]
        })
        // At the time of the queries, which is now.
        let now = Int64(Date().timeIntervalSince1970 * 1000) - 1000
        for (labels, value) in [
            (["__name__": "up", "team": "shop"], 1.0), (["__name__": "up", "team": "bank"], 2),
            (["__name__": "up", "team": "b.nk"], 3), (["__name__": "up"], 4),
            (["__name__": "secret", "team": "bank"], 5),
        ] as [(Labels, Double)] { try fixture.append(labels, from: now, [value]) }
        return fixture
    }

    private func get(_ fixture: WebFixture, _ path: String, token: String = "t") throws -> String {
        try fixture.text(path, headers: [("Authorization", "Bearer \(token)")])
    }

    @Test(arguments: [
        "sum(up)", "sum({__name__=~\".%2B\"})", "sum(up or secret)", "sum(up%7Bteam!=\"x\"%7D)",
        "sum(sum_over_time(up[5m]))",
        "sum(max_over_time(up[5m:1s]))",
        "sum(up{team=~\"bank|shop|b.nk\"})",
        "sum(last_over_time(up[5m]))", "sum(up) unless secret", "scalar(sum(up)) * 1",
    ]) func noQuerySeesOtherSeries(query: String) throws {
        let fixture = try fixture()
        let json = try JSON(
            parsing: Array(get(fixture, "/api/v1/query?query=\(query.replacing(" ", with: "%20"))").utf8))
        let result = json["data"]?["result"]
        let value = result?.elements?.first?["value"]?.elements?.last?.text ?? result?.elements?.last?.text
        #expect(value == "4", "\(json.encoded)")
    }

    @Test func seriesLabelsAndFederationAreLimited() throws {
        let fixture = try fixture()
        for path in [
            "/api/v1/series?match[]={__name__=~\".%2B\"}", "/api/v1/label/team/values", "/api/v1/label/__name__/values",
            "/api/v1/labels", "/federate?match[]={__name__=~\".%2B\"}", "/api/v1/query_exemplars?query=secret",
            "/api/v1/label/team/values?match[]=up", "/api/v1/series?match[]=secret",
        ] {
            let text = try get(fixture, path)
            #expect(!text.contains("bank") && !text.contains("secret"), "\(path): \(text)")
            #expect(!text.contains("error"), "\(path): \(text)")
        }
        #expect(try get(fixture, "/api/v1/label/team/values").contains(#"["b.nk","shop"]"#))
        #expect(try get(fixture, "/api/v1/label/team/values", token: "all").contains("bank"))
    }

    @Test(arguments: [
        "/api/v1/rules", "/api/v1/alerts", "/api/v1/targets", "/api/v1/metadata", "/api/v1/status/tsdb", "/metrics",
        "/api/v1/status/config", "/api/v2/alerts", "/api/v2/silences", "/api/v1/rollouts", "/api/v1/history/events",
    ]) func whatIsNotLimitedIsRefused(path: String) throws {
        let fixture = try fixture()
        let response = try fixture.send(path, headers: [("Authorization", "Bearer t")])
        #expect(response.status == 403, "\(path)")
        let text = String(decoding: response.body, as: UTF8.self)
        #expect(text.contains("limited to some series by team"), "\(text)")
    }
}
