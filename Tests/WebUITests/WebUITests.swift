import CurlHTTP
import Foundation
import PrometheusAPI
import Testing
import WebCore
import WebFixture

@testable import WebUI

@Suite struct WebUITests {
    @Test func theRootLeadsToThePage() throws {
        let fixture = try WebFixture()
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

    @Test(arguments: WebUI.files.map(\.path))
    func assetsMayRunAndLoadOnlyWhatTheServerSends(path: String) throws {
        let fixture = try WebFixture(sources: { $0.isReady = { false } })
        let response = try fixture.send(path)
        #expect(response.status == 200)
        #expect(response["Content-Security-Policy"]?.hasPrefix("default-src 'none'; script-src 'self'; ") == true)
        #expect(response["X-Content-Type-Options"] == "nosniff")
        let tag = try #require(response["ETag"])
        #expect(try fixture.send(path, headers: [("If-None-Match", tag)]).status == 304)
        #expect(try fixture.send(path, headers: [("If-None-Match", "\"x\"")]).status == 200)
    }

    @Test func nothingComesFromElsewhere() {
        for file in WebUI.files {
            let text = String(decoding: file.bytes, as: UTF8.self)
            let foreign = text.split(separator: "http").dropFirst().filter {
                $0.hasPrefix("://") && !$0.hasPrefix("://www.w3.org/2000/svg'")
            }
            #expect(foreign.isEmpty, "\(file.path)")
            #expect(!text.contains("innerHTML"))
        }
        let page = text("index.html")
        // The policy forbids scripts and styles inside the page.
        #expect(!page.contains(" style="))
        #expect(!page.contains(" onclick="))
    }

    /// The text of an embedded file.
    private func text(_ name: String) -> String {
        String(decoding: WebUI.files.first { $0.name == name }?.bytes ?? [], as: UTF8.self)
    }

    @Test func everyFileIsEmbeddedAsItStandsInTheSources() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources/CWebUI/files")
        let names = try FileManager.default.contentsOfDirectory(atPath: root.path).sorted()
        #expect(WebUI.files.map(\.name).sorted() == names)
        for file in WebUI.files {
            #expect(try Data(contentsOf: root.appending(path: file.name)) == Data(file.bytes), "\(file.name)")
        }
    }

    /// Texts between `before` and `after` in `text`.
    private func pieces(of text: String, between before: String, and after: Character) -> [String] {
        text.split(separator: before, omittingEmptySubsequences: false).dropFirst().map {
            String($0.prefix { $0 != after })
        }
    }

    @Test func everythingThePageNamesIsThere() {
        let (page, script) = (text("index.html"), text("tribune.js"))
        let identifiers = Set(pieces(of: page, between: " id=\"", and: "\""))
        let wanted =
            pieces(of: page, between: " href=\"#", and: "\"")
            + pieces(of: page, between: "aria-labelledby=\"", and: "\"")
            + pieces(of: page, between: " for=\"", and: "\"")
            + pieces(of: script, between: "getElementById('", and: "'")
            + pieces(of: script, between: "show('", and: "'")
        #expect(wanted.filter { !identifiers.contains($0) } == [])
        #expect(wanted.count > 20)
        let files = Set(WebUI.files.map(\.path))
        let linked =
            pieces(of: page, between: "src=\"", and: "\"") + ["tribune.css"]
            + pieces(of: script, between: "from './", and: "'")
        #expect(linked.filter { !files.contains("/ui/" + $0) } == [])
    }

    @Test func everyCallOfTheScriptHasAnEndpoint() throws {
        let paths = [
            "rollouts", "alerts", "bottlenecks", "targets", "rules", "history/events", "history/status", "query",
            "query_range",
            "status/buildinfo",
        ]
        let script = text("tribune.js")
        let table = try WebFixture.apis(sources: { _ in }).dispatcher.table
        let documented = Set(table.endpoints.map(\.path.description))
        for path in paths {
            #expect(script.contains(path))
            #expect(documented.contains("/api/v1/" + path), "\(path)")
        }
    }
}
