import CurlHTTP
import Foundation
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// The rollout dashboard over a demo that keeps running: a newcomer who imports it sees data in every panel.
@Suite struct DemoDashboardTests {
    private struct Panel {
        var title: String
        var expressions: [String]
    }

    private func panels() throws -> [Panel] {
        let path = "\(ReferenceTests.root)/dashboards/tribune-rollout.json"
        let dashboard = try JSON(parsing: try FileText.bytes(path, limit: 1 << 20))
        return (dashboard["panels"]?.elements ?? []).compactMap { panel in
            let expressions = (panel["targets"]?.elements ?? []).compactMap { $0["expr"]?.text }
            guard !expressions.isEmpty else { return nil }
            return Panel(title: panel["title"]?.text ?? "", expressions: expressions.map(filled))
        }
    }

    /// The values that Grafana inserts for its variables.
    private func filled(_ text: String) -> String {
        var text = text.replacing("$__rate_interval", with: "1m").replacing("$__interval", with: "15s")
        for name in ["plan", "service", "env"] { text = text.replacing("$\(name)", with: ".*") }
        return text
    }

    private func hasData(_ expression: String, at server: String) throws -> Bool {
        let escaped = expression.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        let response = try HTTPClient().send(HTTPRequest(url: "\(server)/api/v1/query?query=\(escaped)"))
        let answer = try JSON(parsing: response.body)
        #expect(answer["status"]?.text == "success", "\(expression): \(answer.encoded)")
        return answer["data"]?["result"]?.elements?.isEmpty == false
    }

    @Test func everyPanelHasDataWhileTheDemoRuns() throws {
        let directory = TemporaryDirectory()
        let port = Loopback.freePort()
        let output = directory.file("out")
        let demo = try ChildProcess(
            [TribuneProgram.path, "demo", "--small", "--web.listen-address=127.0.0.1:\(port)"], output: .file(output))
        defer { demo.stop(graceMilliseconds: 20_000) }
        let isPlayed = Loopback.eventually(within: 150) { FileText.read(output)?.contains("== What next") == true }
        #expect(isPlayed, "\(FileText.read(output) ?? "")")
        var empty = try panels()
        #expect(empty.count > 20)
        // Rates need a few scrapes.
        _ = try Loopback.eventually {
            empty = try empty.filter { panel in
                try !panel.expressions.contains { try hasData($0, at: "http://127.0.0.1:\(port)") }
            }
            return empty.isEmpty
        }
        #expect(empty.map(\.title) == [], "panels without data")
        demo.signal(SIGINT)
        #expect(demo.wait(milliseconds: 30_000) == .code(0), "\(FileText.read(output) ?? "")")
    }
}
