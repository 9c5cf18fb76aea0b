import Foundation
import RuleModel
import Runtime
import TestSupport
import Testing

/// Pages of `docs/` against the program: what they show works, and what exists is in them.
@Suite struct DocumentationTests {
    private static let root = ReferenceTests.root

    private func page(_ name: String) throws -> String {
        try String(contentsOfFile: "\(Self.root)/docs/\(name)", encoding: .utf8)
    }

    /// The tutorial as a reader follows it: its files in a directory, its commands in a shell, on other ports.
    @Test func theTutorialWorksAsWritten() throws {
        let directory = TemporaryDirectory()
        var text = try page("tutorial.md").replacing("/tmp/tribune-tutorial.sock", with: directory.file("socket"))
        for port in ["8080", "8081", "8082", "9190"] {
            let free = "\(Loopback.freePort())"
            text = text.replacing(":\(port)", with: ":\(free)").replacing("port=\(port)", with: "port=\(free)")
        }
        let files = text.matches(of: /\*\*`([a-z.]+)`\*\*\n\n```[a-z]+\n((?s).*?)```/)
        #expect(
            files.map { String($0.1) } == ["haproxy.cfg", "prometheus.yml", "rules.yml", "plan.yml", "tribune.yml"])
        for file in files { directory.write(String(file.2), to: String(file.1)) }
        let commands = text.matches(of: /```sh\n((?s).*?)```/).map { String($0.1) }
        #expect(commands.count == 5)
        let program = TribuneProgram.path.dropLast("/tribune".count)
        let script = """
            set -eu
            trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
            cd '\(directory.path)'
            PATH='\(program)':$PATH

            """ + commands.joined()
        let result = try TribuneProgram.run(program: ["timeout", "170", "bash", "-c", script], seconds: 180)
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        #expect(
            result.output.contains("checkout  desired stable 80 %, candidate 20 %; live 80/20;"), "\(result.output)")
        #expect(result.output.contains("**completed and validated**"))
        #expect(result.output.contains("**ErrorRateHigh** (high)"))
        #expect(result.output.components(separatedBy: "shop: start accepted").count == 3, "begun twice")
    }

    @Test func examplesOfTheConfigurationPageAreValid() throws {
        let blocks = try page("reference/configuration.md").matches(of: /```yaml\n((?s).*?)```/).map { String($0.1) }
        let directory = TemporaryDirectory()
        directory.write(try #require(blocks.first { $0.hasPrefix("plan:") }), to: "plan.yml")
        directory.write(try #require(blocks.first { $0.hasPrefix("groups:") }), to: "rules.yml")
        #expect(blocks.count == 2)
        directory.write("rule_files: [rules.yml]", to: "prometheus.yml")
        directory.write("prometheus_config: prometheus.yml\nplans: [plan.yml]", to: "tribune.yml")
        let result = try TribuneProgram.run(["check", "config", directory.file("tribune.yml")])
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
    }

    /// Each part of the fault script is a test that exists.
    @Test func theFaultScriptNamesTests() throws {
        let files = try #require(FileManager.default.enumerator(atPath: "\(Self.root)/Tests"))
            .compactMap { $0 as? String }.filter { $0.hasSuffix("Tests.swift") }
        let named = try page("development/fault-script.md").matches(of: /`([A-Z][A-Za-z]+Tests)(?:\.([a-zA-Z]+))?`/)
        #expect(named.count > 30)
        for name in named {
            let file = files.first { $0.hasSuffix("/\(name.1).swift") }
            let text = try file.map { try String(contentsOfFile: "\(Self.root)/Tests/\($0)", encoding: .utf8) }
            let isThere = text?.contains(name.2.map { "func \($0)(" } ?? "@Test") == true
            #expect(isThere, "\(name.0)")
        }
    }

    @Test func examplesOfTheHowToPageAreValid() throws {
        let blocks = try page("operations/howto.md").matches(of: /```yaml\n((?s).*?)```/).map { String($0.1) }
        #expect(blocks.count == 5)
        for block in blocks {
            let directory = TemporaryDirectory()
            if block.hasPrefix("groups:") {
                directory.write(block, to: "rules.yml")
                directory.write("rule_files: [rules.yml]", to: "prometheus.yml")
                directory.write(
                    """
                    plan: shop
                    services:
                    - {name: api, stages: [100], routes: [{exec: {shift: ["true"], read: ["true"]}}]}
                    """, to: "plan.yml")
                directory.write("prometheus_config: prometheus.yml\nplans: [plan.yml]", to: "t.yml")
                let result = try TribuneProgram.run(["check", "config", directory.file("t.yml")])
                #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
                continue
            }
            if block.hasPrefix("tls_server_config:") {
                let made = try TribuneProgram.run(program: [
                    "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout",
                    directory.file("server.key"), "-out", directory.file("server.crt"),
                ])
                #expect(made.exit == .code(0), "\(made.errors)")
                let result = try TribuneProgram.run(program: [
                    "promtool", "check", "web-config", directory.write(block, to: "web.yml"),
                ])
                #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
                continue
            }
            directory.write("host=/nowhere", to: "history.connection")
            directory.write(block.hasPrefix("scrape_configs") ? block : "global: {}", to: "prometheus.yml")
            directory.write(
                block.hasPrefix("scrape_configs") ? "prometheus_config: prometheus.yml" : block, to: "t.yml")
            let result = try TribuneProgram.run(["check", "config", directory.file("t.yml")])
            #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        }
    }

    /// Sources in which fields of `tribune.yml`, plans and rollback rules are read.
    private static let readers = [
        "Tribune/Configuration", "Identity/Configuration", "Rollback/Plan",
        "RuleEngine/File/RollbackDefinition+Loading.swift",
        "RuleEngine/File/RuleFile+Loading.swift",
    ]

    @Test func everyFieldIsInTheReference() throws {
        let pages = ["reference/configuration.md", "operations/routes.md", "operations/gates.md"]
        let documented = try pages.map(page).joined()
        var fields: Set<String> = []
        for reader in Self.readers {
            let path = "\(Self.root)/Sources/\(reader)"
            let names = path.hasSuffix(".swift") ? [""] : try FileManager.default.contentsOfDirectory(atPath: path)
            for name in names where name.isEmpty || name.hasSuffix(".swift") {
                let text = try String(contentsOfFile: name.isEmpty ? path : "\(path)/\(name)", encoding: .utf8)
                fields.formUnion(
                    text.matches(of: /(?:fields|inner|plan)\.[A-Za-z]+\("([a-z_]+)"|\(&(?:fields|inner), "([a-z_]+)"/)
                        .compactMap { ($0.1 ?? $0.2).map(String.init) })
            }
        }
        #expect(fields.count > 60)
        // A field has a row in a table, or is in an example, after a dot or before a colon.
        let missing = fields.filter { field in
            !["`\(field)`", ".\(field)`", ".\(field).", "`\(field).", "\(field):"].contains(where: documented.contains)
        }
        #expect(missing.sorted() == [], "not in \(pages)")
    }

    /// The other way round: rows about fields that nothing reads any more.
    @Test func everyFieldOfTheReferenceIsReadByTheCode() throws {
        var known: Set<String> = []
        for name in try FileManager.default.subpathsOfDirectory(atPath: "\(Self.root)/Sources")
        where name.hasSuffix(".swift") {
            let text = try #require(FileText.read("\(Self.root)/Sources/\(name)"))
            known.formUnion(text.matches(of: /"([a-z0-9_]+)"/).map { String($0.1) })
        }
        var count = 0
        let pages = ["reference/configuration", "operations/routes", "operations/oncall", "operations/opentelemetry"]
        for name in pages.map({ "\($0).md" }) {
            // Tables whose first column is that of fields.
            for table in try page(name).split(separator: "\n\n") where table.hasPrefix("| field |") {
                for row in table.split(separator: "\n").dropFirst(2) where row.hasPrefix("|") {
                    let fields = row.split(separator: "|", maxSplits: 1)[0].matches(of: /`([a-z0-9_.\[\]]+)`/)
                    for part in fields.flatMap({ $0.1.split { ".[]".contains($0) } }) {
                        #expect(known.contains(String(part)), "\(name): \(row)")
                        count += 1
                    }
                }
            }
        }
        #expect(count > 400)
    }

    @Test func everyAlertHasARunbook() throws {
        let rules = try String(contentsOfFile: "\(Self.root)/rules/tribune.yml", encoding: .utf8)
        let alerts = rules.matches(of: /- alert: (\w+)/).map { String($0.1) }
        let runbooks = try page("operations/runbooks.md").matches(of: /\n## (Tribune\w+)\n/).map { String($0.1) }
        #expect(alerts.count > 8)
        #expect(Set(alerts).subtracting(runbooks).sorted() == [], "without a runbook")
        #expect(Set(runbooks).subtracting(alerts).sorted() == [], "runbooks of no alert")
    }

    @Test func metricsOfRunbooksExist() throws {
        let known = try page("api/metrics.md")
        let named = try page("operations/runbooks.md").matches(of: /tribune_[a-z_]+/).map { String($0.0) }
        #expect(!named.isEmpty)
        for metric in named { #expect(known.contains("`\(metric)`"), "\(metric)") }
    }

    /// The anchors of a page's headings, as both GitHub and mkdocs make them.
    private static func anchors(of text: String) -> Set<String> {
        Set(
            text.matches(of: /(?m)^#+ (.*)$/).map { heading in
                heading.1.lowercased().filter { $0.isLetter || $0.isNumber || " -_".contains($0) }
                    .split(separator: " ").joined(separator: "-")
            })
    }

    /// mkdocs looks at neither anchors nor the pages outside of `docs/`.
    @Test func everyLinkLeadsToAPageAndAHeading() throws {
        let docs = try FileManager.default.subpathsOfDirectory(atPath: "\(Self.root)/docs")
            .filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }
        var count = 0
        for page in ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"] + docs {
            let path = "\(Self.root)/\(page)"
            let text = try #require(FileText.read(path))
            for link in text.matches(of: /\]\(([^)\s]+)\)/).map(\.1) where !link.contains(/^(https?|mailto):/) {
                let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let target =
                    parts[0].isEmpty
                    ? path : URL(filePath: path).deletingLastPathComponent().appending(path: parts[0]).standardized.path
                #expect(FileManager.default.fileExists(atPath: target), "\(page): \(link)")
                if parts.count == 2, let text = FileText.read(target) {
                    #expect(Self.anchors(of: text).contains(String(parts[1])), "\(page): \(link)")
                }
                count += 1
            }
        }
        #expect(count > 140)
    }

    static var hasMkdocs: Bool {
        let isThere = (try? TribuneProgram.run(program: ["mkdocs", "--version"]))?.exit == .code(0)
        if !isThere { print("skipped: mkdocs is not installed") }
        return isThere
    }

    @Test(.enabled(if: DocumentationTests.hasMkdocs)) func theSiteHasNoBrokenLinks() throws {
        let directory = TemporaryDirectory()
        let result = try TribuneProgram.run(program: [
            "env", "TRIBUNE_SITE=\(directory.file("site"))", "\(Self.root)/scripts/docs.sh", TribuneProgram.path,
        ])
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        let commands = try #require(FileText.read(directory.file("site/reference/commands.html")))
        #expect(commands.contains("storage.retention.time"))
    }
}
