import Foundation
import JSON
import Runtime
import TestSupport
import Testing

/// `docs/architecture/overview.md` says of each target what `Package.swift` says, and arrows point downward.
@Suite struct ArchitectureTests {
    /// A row of the table of targets.
    private struct Row {
        var name: String
        var sentence: String
        var imports: [String]
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// The targets with code of the product, and the product's targets that each of them imports. Shims of C libraries
    /// (`C…`) count as a part of their owner.
    private static func targets() throws -> [String: Set<String>] {
        let directory = TemporaryDirectory()
        // A separate directory, because the one of this build is locked while tests run.
        let arguments = [
            "swift", "package", "--package-path", root, "--scratch-path", directory.file("b"), "dump-package",
        ]
        let process = try ChildProcess(
            arguments, output: .file(directory.file("out")), errors: .file(directory.file("err")))
        #expect(process.wait(milliseconds: 300_000) == .code(0), "\(FileText.read(directory.file("err")) ?? "")")
        let package = try JSON(parsing: try FileText.bytes(directory.file("out")))
        let all = (package["targets"]?.elements ?? []).filter { target in
            let path = target["path"]?.text
            let isCode = ["regular", "executable"].contains(target["type"]?.text)
            return isCode && (path == nil || path?.hasPrefix("Sources/") == true)
        }
        let names = Set(all.compactMap { $0["name"]?.text }.filter { !isShim($0) })
        var targets: [String: Set<String>] = [:]
        for target in all {
            guard let name = target["name"]?.text, names.contains(name) else { continue }
            let imports = (target["dependencies"]?.elements ?? []).compactMap { dependency in
                (dependency["byName"] ?? dependency["target"])?.elements?.first?.text
            }
            targets[name] = Set(imports).intersection(names)
        }
        return targets
    }

    private static func isShim(_ name: String) -> Bool {
        guard name.hasPrefix("C"), let second = name.dropFirst().first else { return false }
        return second.isUppercase && Paths.exists("\(root)/Sources/\(name)/include")
            || Paths.exists("\(root)/Sources/\(name)/module.modulemap")
    }

    private static func document() throws -> String {
        String(decoding: try FileText.bytes("\(root)/docs/architecture/overview.md"), as: UTF8.self)
    }

    /// The rows `| name | sentence | imports |`, top to bottom.
    private static func rows() throws -> [Row] {
        try document().split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard cells.count == 5, cells[1].hasPrefix("`"), cells[1].hasSuffix("`") else { return nil }
            let imports = cells[3].split(separator: ",").map {
                $0.trimmingCharacters(in: CharacterSet(charactersIn: " `–"))
            }
            return Row(
                name: cells[1].trimmingCharacters(in: CharacterSet(charactersIn: "`")), sentence: cells[2],
                imports: imports.filter { !$0.isEmpty })
        }
    }

    @Test func theTableHasEachTargetOnceWithItsImports() throws {
        let targets = try Self.targets()
        #expect(targets.count > 20)
        let rows = try Self.rows()
        #expect(Set(rows.map(\.name)).count == rows.count, "a target has two rows")
        for row in rows where targets[row.name] == nil { Issue.record("Package.swift has no target \(row.name)") }
        for (name, imports) in targets.sorted(by: { $0.key < $1.key }) {
            let wanted = imports.sorted().map { "`\($0)`" }.joined(separator: ", ")
            let line = "| `\(name)` | … | \(wanted.isEmpty ? "–" : wanted) |"
            guard let row = rows.first(where: { $0.name == name }) else {
                Issue.record("docs/architecture/overview.md lacks the row \(line)")
                continue
            }
            #expect(Set(row.imports) == imports, "docs/architecture/overview.md: expected \(line)")
        }
    }

    /// The table is read from the ground up: a row imports only rows above it, so that no two parts of the list depend
    /// on each other.
    @Test func arrowsPointOnlyToRowsAbove() throws {
        var above: Set<String> = []
        for row in try Self.rows() {
            let wrong = Set(row.imports).subtracting(above)
            #expect(wrong.isEmpty, "\(row.name) imports \(wrong.sorted()), whose rows must stand above it")
            above.insert(row.name)
        }
    }

    @Test func eachTargetHasOneResponsibility() throws {
        for row in try Self.rows() {
            #expect(!row.sentence.isEmpty, "\(row.name)")
            #expect(!row.sentence.contains(/\band\b/), "\(row.name): \(row.sentence)")
            #expect(!row.sentence.contains(". "), "\(row.name) has more than one sentence")
        }
    }

    /// The nodes of the picture are targets; what is outside Tribune is in round brackets.
    @Test func thePictureNamesOnlyTargets() throws {
        let document = try Self.document()
        let picture = try #require(document.firstMatch(of: /flowchart LR\n([\s\S]*?)```/)).output.1
        let names = Set(try Self.rows().map(\.name))
        let inside = picture.replacing(/\(\[[^\]]*\]\)/, with: "")
        let nodes = Set(inside.matches(of: /\b[A-Z][A-Za-z0-9]+\b/).map { String($0.output) })
        #expect(nodes.count >= 7)
        for node in nodes where !names.contains(node) { Issue.record("\(node) is not a target") }
    }
}
