import Foundation
import Runtime
import Testing

/// Design notes have one form, so that a reader finds the same things in the same order.
@Suite struct DesignNoteTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../docs/design").standardized.path

    @Test func eachNoteHasTheSameSections() throws {
        let notes = Paths.matching("\(Self.folder)/*.md")
        #expect(notes.count >= 27)
        for path in notes {
            let lines = String(decoding: try FileText.bytes(path), as: UTF8.self).split(separator: "\n")
            let number = path.split(separator: "/").last?.prefix(4) ?? ""
            #expect(lines.first?.hasPrefix("# \(number): ") == true, "\(path): the title is not \"# \(number): …\"")
            let sections = lines.filter { $0.hasPrefix("## ") }.map { String($0.dropFirst(3)) }
            #expect(
                sections == ["Status", "Context", "Decision", "Alternatives", "Consequences", "Verified by"],
                "\(path)")
            for (line, next) in zip(lines, lines.dropFirst()) where line.hasPrefix("## ") {
                #expect(!next.hasPrefix("## "), "\(path): \(line) is empty")
            }
        }
        #expect(
            Set(notes.map { $0.split(separator: "/").last?.prefix(4) }).count == notes.count, "two notes share a number"
        )
    }
}
