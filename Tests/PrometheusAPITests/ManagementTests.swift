import CurlHTTP
import JSON
import MetricModel
import Testing
import WebCore
import WebFixture
import WebServer

@testable import PrometheusAPI

@Suite struct ManagementTests {
    @Test func healthAndReadinessSpeakPrometheusWords() throws {
        let fixture = try WebFixture(sources: { $0.isReady = { false } })
        #expect(try fixture.text("/-/healthy") == "Prometheus Server is Healthy.\n")
        let waiting = try fixture.send("/-/ready")
        #expect(waiting.status == 503)
        #expect(waiting["X-Prometheus-Stopping"] == "false")
        let api = try fixture.send("/api/v1/query?query=1")
        #expect(api.status == 503)
        #expect(String(decoding: api.body, as: UTF8.self) == "Service Unavailable")
        #expect(try fixture.send("/api/v1/status/walreplay").status == 200)
        #expect(try fixture.send("/metrics").status == 200)
        #expect(try WebFixture().text("/-/ready") == "Prometheus Server is Ready.\n")
    }

    @Test func whoCannotActSaysWhyAndStaysReady() throws {
        let reasons = ["standby: b leads", "plan p: the journal cannot be written: no space left"]
        let limited = try WebFixture(sources: { $0.actingFaults = { reasons } })
        let answer = try limited.send("/-/acting")
        #expect(answer.status == 503)
        #expect(String(decoding: answer.body, as: UTF8.self) == reasons.map { $0 + "\n" }.joined())
        #expect(try limited.send("/-/ready").status == 200, "orders can be given")
        #expect(try WebFixture().text("/-/acting") == "Tribune acts.\n")
        #expect(try WebFixture(sources: { $0.isReady = { false } }).send("/-/acting").status == 503)
    }

    @Test func containerPlatformsFindTheirPaths() throws {
        let fixture = try WebFixture(sources: { $0.isReady = { false } })
        #expect(try fixture.send("/health").status == 200)
        #expect(try fixture.send("/ready").status == 503)
        #expect(try WebFixture().send("/ready").status == 200)
    }

    @Test func onlyProbesAreAnsweredOnThePollingThread() throws {
        let apis = try WebFixture.apis { $0.isReady = { false } }
        func status(_ path: String) -> Int? {
            apis.dispatcher.probeResponse(to: HTTPServerRequest(path: path, query: []))?.status
        }
        #expect(status("/-/healthy") == 200)
        #expect(status("/health") == 200)
        #expect(status("/-/ready") == 503)
        for path in ["/metrics", "/api/v1/query", "/-/reload", "/federate", "/nowhere"] {
            #expect(status(path) == nil, "\(path)")
        }
    }

    @Test func unknownPathsAreNotFound() throws {
        let fixture = try WebFixture()
        for path in [
            "/api/v1/nothing", "/api/v1", "/api/v1/label//values", "/api/v1/label/a/b/values", "/x", "/ui/x", "//",
        ] {
            let response = try fixture.send(path)
            #expect(response.status == 404, "\(path)")
            #expect(response["Content-Type"]?.hasPrefix("text/plain") == true)
        }
    }

    @Test func otherMethodsAreRefused() throws {
        let fixture = try WebFixture({ $0.enablesLifecycle = true })
        #expect(try fixture.send("/api/v1/rules", method: "POST").status == 405)
        #expect(try fixture.send("/api/v1/query", method: "DELETE").status == 405)
        let reload = try fixture.send("/-/reload")
        #expect(reload.status == 405)
        #expect(String(decoding: reload.body, as: UTF8.self) == "Only POST or PUT requests allowed")
        #expect(try fixture.send("/-/healthy", method: "HEAD").status == 200)
    }

    @Test func lifecycleNeedsItsFlag() throws {
        let fixture = try WebFixture()
        for path in ["/-/reload", "/-/quit"] {
            let response = try fixture.send(path, method: "POST")
            #expect(response.status == 403)
            #expect(String(decoding: response.body, as: UTF8.self) == "Lifecycle API is not enabled.")
        }
    }

    @Test func reloadTellsWhyItFailed() throws {
        let failing = try WebFixture({ $0.enablesLifecycle = true }) {
            $0.reload = { _ in .failed("a.yml:3: no such field") }
        }
        let response = try failing.send("/-/reload", method: "POST")
        #expect(response.status == 500)
        #expect(
            String(decoding: response.body, as: UTF8.self) == "failed to reload config: a.yml:3: no such field\n")
        let waiting = try WebFixture({ $0.enablesLifecycle = true }) {
            $0.reload = { _ in
                .done(waits: ["plan p: services, routes and stages change later: generation 3 is under way"])
            }
        }
        let partial = try waiting.send("/-/reload", method: "POST")
        #expect(partial.status == 200)
        #expect(String(decoding: partial.body, as: UTF8.self).hasPrefix("waits: plan p: services, routes"))
        let working = try WebFixture({ $0.enablesLifecycle = true })
        #expect(try working.send("/-/reload", method: "PUT").status == 200)
    }

    @Test func pagesOfOtherSitesCannotReload() throws {
        let fixture = try WebFixture({ $0.enablesLifecycle = true })
        let foreign = try fixture.send("/-/reload", method: "POST", headers: [("Origin", "http://evil.example")])
        #expect(foreign.status == 403)
        let own = try fixture.send(
            "/-/reload", method: "POST", headers: [("Origin", "http://127.0.0.1:\(fixture.port)")])
        #expect(own.status == 200)
    }

    @Test func foreignPagesMayReadTheAPI() throws {
        let fixture = try WebFixture()
        let response = try fixture.send("/api/v1/rules", headers: [("Origin", "http://grafana.example")])
        #expect(response["Access-Control-Allow-Origin"] == "*")
        #expect(response["Access-Control-Expose-Headers"] == "Date")
        let asked = try fixture.send("/api/v1/query", method: "OPTIONS", headers: [("Origin", "http://x.example")])
        #expect(asked.status == 204)
        #expect(asked["Access-Control-Allow-Methods"] == "GET, POST, OPTIONS")
        #expect(try fixture.send("/api/v1/rules")["Access-Control-Allow-Origin"] == nil)

        let limited = try WebFixture({ $0.web.allowsOrigin = { $0 == "http://good.example" } })
        let good = try limited.send("/api/v1/rules", headers: [("Origin", "http://good.example")])
        #expect(good["Access-Control-Allow-Origin"] == "http://good.example")
        let bad = try limited.send("/api/v1/rules", headers: [("Origin", "http://bad.example")])
        #expect(bad["Access-Control-Allow-Origin"] == nil)
    }

    @Test func routePrefixStandsBeforeEveryPath() throws {
        let fixture = try WebFixture({ $0.web = WebSettings(externalURL: ExternalURL("http://h/tribune/")!) })
        #expect(try fixture.send("/tribune/-/healthy").status == 200)
        #expect(try fixture.send("/tribune/api/v1/rules").status == 200)
        #expect(try fixture.send("/api/v1/rules").status == 404)
        #expect(try fixture.send("/tribunes/-/healthy").status == 404)
        #expect(try fixture.send("/tribune")["Location"] == "/tribune/ui/")
    }

    @Test func buildInformationIsThatOfThePrometheusThatIsMatched() throws {
        let fixture = try WebFixture({ $0.build.version = "9.8.7" })
        let build = try fixture.data("/api/v1/status/buildinfo")
        #expect(build["version"] == "3.14.0")
        #expect(build["applicationVersion"] == "9.8.7")
        // Grafana treats a server with this member as Mimir.
        #expect(build["features"] == nil)
        #expect(try JSON(parsing: fixture.text("/version"))["version"] == "3.14.0")
    }

    @Test func statusShowsWhatTheSourcesSay() throws {
        let fixture = try WebFixture({ $0.flags = ["web.x": "1", "log.level": "info"] }) { sources in
            sources.configuration = { "global:\n  a: <secret>\n" }
            sources.lastReload = { ReloadOutcome(succeeded: false, at: Timestamp(milliseconds: 1000), error: "x") }
        }
        #expect(try fixture.data("/api/v1/status/config").encoded == #"{"yaml":"global:\n  a: <secret>\n"}"#)
        #expect(try fixture.data("/api/v1/status/flags").encoded == #"{"log.level":"info","web.x":"1"}"#)
        let runtime = try fixture.data("/api/v1/status/runtimeinfo")
        #expect(runtime["reloadConfigSuccess"] == false)
        #expect(runtime["lastConfigTime"] == "1970-01-01T00:00:01Z")
        #expect(try fixture.data("/api/v1/notifications").elements?.first?["active"] == true)
        #expect(try fixture.data("/api/v1/features")["promql_functions"]?["rate"] == true)
        #expect(try fixture.error("/api/v1/status/tsdb?limit=0").hasPrefix("400 bad_data"))
        #expect(try fixture.data("/api/v1/status/tsdb")["headStats"]?["numSeries"] == 0)
    }
}
