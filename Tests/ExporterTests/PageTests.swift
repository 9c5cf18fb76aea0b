import CurlHTTP
import Testing

@testable import Exporter

@Suite struct PageTests {
    @Test func theRootLeadsToThePage() throws {
        let fixture = try ExporterFixture()
        for path in ["/", "/ui"] {
            let root = try fixture.send(path)
            #expect(root.status == 302)
            #expect(root["Location"] == "/ui/")
        }
        for part in ["alerts", "targets", "rules"] {
            #expect(try fixture.send("/" + part)["Location"] == "/ui/#" + part)
        }
        // Links in alerts are made as Prometheus makes them.
        let link = try fixture.send("/graph?g0.expr=up%20%3D%3D%200%26&g0.tab=1")
        #expect(link["Location"] == "/ui/?expr=up%20%3D%3D%200%26#query")
    }

    @Test(arguments: PageAsset.all.map(\.path))
    func assetsMayRunAndLoadOnlyWhatTheServerSends(path: String) throws {
        let fixture = try ExporterFixture(sources: { $0.isReady = { false } })
        let response = try fixture.send(path)
        #expect(response.status == 200)
        #expect(response["Content-Security-Policy"]?.hasPrefix("default-src 'none'; script-src 'self'; ") == true)
        #expect(response["X-Content-Type-Options"] == "nosniff")
        let tag = try #require(response["ETag"])
        #expect(try fixture.send(path, headers: [("If-None-Match", tag)]).status == 304)
        #expect(try fixture.send(path, headers: [("If-None-Match", "\"x\"")]).status == 200)
    }

    @Test func nothingComesFromElsewhere() {
        for asset in PageAsset.all {
            let foreign = asset.text.split(separator: "http").dropFirst().filter {
                $0.hasPrefix("://") && !$0.hasPrefix("://www.w3.org/2000/svg'")
            }
            #expect(foreign.isEmpty, "\(asset.path)")
            #expect(!asset.text.contains("innerHTML"))
        }
        // The policy forbids scripts and styles inside the page.
        #expect(!pageHTML.contains(" style="))
        #expect(!pageHTML.contains(" onclick="))
    }

    /// Texts between `before` and `after` in `text`.
    private func pieces(of text: String, between before: String, and after: Character) -> [String] {
        text.split(separator: before, omittingEmptySubsequences: false).dropFirst().map {
            String($0.prefix { $0 != after })
        }
    }

    @Test func everythingThePageNamesIsThere() {
        let identifiers = Set(pieces(of: pageHTML, between: " id=\"", and: "\""))
        let wanted =
            pieces(of: pageHTML, between: " href=\"#", and: "\"")
            + pieces(of: pageHTML, between: "aria-labelledby=\"", and: "\"")
            + pieces(of: pageHTML, between: " for=\"", and: "\"")
            + pieces(of: pageScript, between: "getElementById('", and: "'")
            + pieces(of: pageScript, between: "show('", and: "'")
        #expect(wanted.filter { !identifiers.contains($0) } == [])
        #expect(wanted.count > 20)
        let files = Set(PageAsset.all.map(\.path))
        let linked =
            pieces(of: pageHTML, between: "src=\"", and: "\"") + ["tribune.css"]
            + pieces(of: pageScript, between: "from './", and: "'")
        #expect(linked.filter { !files.contains("/ui/" + $0) } == [])
    }

    @Test func everyCallOfTheScriptHasARoute() {
        let paths = [
            "rollouts", "alerts", "bottlenecks", "targets", "rules", "history/events", "query", "query_range",
            "status/buildinfo",
        ]
        let routes = Routes()
        for path in paths {
            #expect(pageScript.contains(path))
            #expect(routes.find("/api/v1/" + path) != nil, "\(path)")
        }
    }
}
