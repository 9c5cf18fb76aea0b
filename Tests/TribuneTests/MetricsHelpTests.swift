import Foundation
import Runtime
import Testing

/// The texts of `docs/api/metrics.md` are those that `/metrics` shows.
@Suite struct MetricsHelpTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized

    @Test func thePageSaysWhatTheHelpTextsSay() throws {
        let page = String(
            decoding: try FileText.bytes(Self.root.appending(path: "docs/api/metrics.md").path), as: UTF8.self)
        var documented: [String: String] = [:]
        for row in page.matches(of: /\| `(tribune_[a-z_]+)` \| [a-z]+ \|[^|]*\| ([^|]*) \|/) {
            documented[String(row.1)] = String(row.2)
        }
        var compared = 0
        let sources = Self.root.appending(path: "Sources")
        for case let file as URL in FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)!
        where file.pathExtension == "swift" {
            let text = String(decoding: try FileText.bytes(file.path), as: UTF8.self)
            // Texts with interpolated numbers are left out.
            for found in text.matches(of: /"(tribune_[a-z_]+)",\s*"([^"\\]+)"/) {
                compared += 1
                #expect(documented[String(found.1)] == String(found.2), "docs/api/metrics.md: \(found.1)")
            }
        }
        #expect(compared > 60)
    }
}
