import Foundation
import Testing

/// `docs/api/metrics.md` against the sources.
@Suite struct MetricsDocumentTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    @Test func everyMetricIsDocumentedAndNothingElse() throws {
        let page = try String(contentsOf: Self.root.appending(path: "docs/api/metrics.md"), encoding: .utf8)
        let documented = Set(
            page.matches(of: /^\| `(tribune_[a-z_]+)` \|/.anchorsMatchLineEndings()).map { String($0.1) })
        let sources = Self.root.appending(path: "Sources")
        var named: Set<String> = []
        for case let file as URL in FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)!
        where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            named.formUnion(text.matches(of: /"(tribune_[a-z_]+)"/).map { String($0.1) })
        }
        #expect(named.count > 80)
        let cookies: Set<String> = ["tribune_login", "tribune_session"]
        #expect(named.subtracting(documented).subtracting(cookies).sorted() == [], "not in docs/api/metrics.md")
        #expect(documented.subtracting(named).sorted() == [], "not in the sources")
    }
}
