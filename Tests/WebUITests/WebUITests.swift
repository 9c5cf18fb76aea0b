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
            #expect(try fixture.send("/" + part)["Location"] == "/ui/#/" + part)
        }
        // Links in alerts are made as Prometheus makes them.
        let link = try fixture.send("/graph?g0.expr=up%20%3D%3D%200%26&g0.tab=1")
        #expect(link["Location"] == "/ui/#/query?g0.expr=up%20%3D%3D%200%26")
    }

    @Test(arguments: [
        "", "app.css", "app.js", "graph.js", "editor.js", "licenses.txt", "worker.js", "manifest.webmanifest",
        "icon-192.png", "icon-512.png",
    ])
    func assetsMayRunAndLoadOnlyWhatTheServerSends(file: String) throws {
        let fixture = try WebFixture(sources: { $0.isReady = { false } })
        let response = try fixture.send("/ui/" + file)
        #expect(response.status == 200, "compiled without the web application: scripts/build.sh builds both")
        let policy = try #require(response["Content-Security-Policy"])
        #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; "))
        #expect(!policy.contains("unsafe"))
        #expect(response["X-Content-Type-Options"] == "nosniff")
        let tag = try #require(response["ETag"])
        #expect(try fixture.send("/ui/" + file, headers: [("If-None-Match", tag)]).status == 304)
        #expect(try fixture.send("/ui/" + file, headers: [("If-None-Match", "\"x\"")]).status == 200)
    }

    @Test func whatIsNoFileIsNotFound() throws {
        let fixture = try WebFixture()
        for path in ["/ui/index.htm", "/ui/..%2Findex.html", "/ui/built/app.js", "/ui/tribune.js"] {
            #expect(try fixture.send(path).status == 404, "\(path)")
        }
    }

    @Test func thePageLoadsOnlyItsOwnFilesAndHoldsNoScriptOrStyle() throws {
        let page = text("index.html")
        // The policy forbids scripts and styles inside the page.
        #expect(!page.contains(" style=") && !page.contains("<style") && !page.contains(" onclick="))
        let names = Set(WebUI.files.map(\.name))
        let linked =
            pieces(of: page, between: "src=\"", and: "\"")
            + pieces(of: page, between: "rel=\"stylesheet\" href=\"", and: "\"")
        #expect(linked.count == 2)
        #expect(linked.filter { !names.contains($0) } == [])
    }

    @Test func everyFileIsEmbeddedAsItWasBuilt() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources/CWebUI/built")
        #expect(WebUI.files.count == 10, "compiled without the web application: scripts/build.sh builds both")
        for file in WebUI.files {
            #expect(try Data(contentsOf: root.appending(path: file.name)) == Data(file.bytes), "\(file.name)")
        }
    }

    /// The text of an embedded file.
    private func text(_ name: String) -> String {
        String(decoding: WebUI.files.first { $0.name == name }?.bytes ?? [], as: UTF8.self)
    }

    /// Texts between `before` and `after` in `text`.
    private func pieces(of text: String, between before: String, and after: Character) -> [String] {
        text.split(separator: before, omittingEmptySubsequences: false).dropFirst().map {
            String($0.prefix { $0 != after })
        }
    }
}
