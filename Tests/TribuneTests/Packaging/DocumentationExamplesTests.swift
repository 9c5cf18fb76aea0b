import Foundation
import Runtime
import TestSupport
import Testing

/// Configuration, commands, names and numbers that pages show are those of the program.
@Suite struct DocumentationExamplesTests {
    private static let root = ReferenceTests.root

    private static func text(_ path: String) throws -> String {
        try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
    }

    /// The pages of the project, design notes left out.
    private static func pages() throws -> [String] {
        let all = try FileManager.default.subpathsOfDirectory(atPath: "\(root)/docs").filter { $0.hasSuffix(".md") }
        return ["README.md"] + all.filter { !$0.hasPrefix("design/") }.map { "docs/\($0)" }.sorted()
    }

    // MARK: Configuration

    /// Files that a section of a page shows: a name in bold, then a block.
    private static func files(of section: String) -> [(name: String, content: String)] {
        section.matches(of: /\*\*`([a-z.-]+\.yml)`\*\*\n\n```yaml\n((?s).*?)```/).map {
            (String($0.1), String($0.2))
        }
    }

    private static let sections: [(page: String, files: [(name: String, content: String)])] = {
        let wanted = ["migrate-", "scaling", "performance", "next-release", "rules-over", "verdicts"]
            .map { "docs/operations/\($0)" }
        var found: [(String, [(String, String)])] = []
        for page in (try? pages()) ?? [] where wanted.contains(where: page.hasPrefix) {
            for section in ((try? text(page)) ?? "").split(separator: "\n## ") {
                let files = files(of: String(section))
                if !files.isEmpty { found.append((page, files)) }
            }
        }
        return found
    }()

    @Test func pagesShowFiles() { #expect(Self.sections.count >= 9) }

    /// The files of each section together are a configuration that `check config` accepts.
    @Test(arguments: 0..<DocumentationExamplesTests.sections.count) func filesOfASectionAreValid(_ index: Int) throws {
        let (page, files) = Self.sections[index]
        let directory = TemporaryDirectory()
        let names = Set(files.map(\.name))
        for file in files { directory.write(file.content, to: file.name) }
        for secret in ["history.connection", "gates.token", "token", "ca.crt", "pagerduty.key"] {
            directory.write("host=/nowhere", to: secret)
        }
        if !names.contains("prometheus.yml") {
            directory.write(
                names.contains("rules.yml") ? "rule_files: [rules.yml]" : "global: {}", to: "prometheus.yml")
        }
        if !names.contains("plan.yml") {
            directory.write(
                """
                plan: shop
                stages: [100]
                services:
                - name: checkout
                  routes: [{exec: {shift: ["true"], read: ["true"]}}]
                  stable_health: http://127.0.0.1:1/healthz
                """, to: "plan.yml")
        }
        if !names.contains("tribune.yml") {
            let alertmanager = names.contains("alertmanager.yml") ? "alertmanager_config: alertmanager.yml" : ""
            directory.write(
                "prometheus_config: prometheus.yml\nplans: [plan.yml]\n\(alertmanager)\n", to: "tribune.yml")
        }
        let result = try TribuneProgram.run(["check", "config", directory.file("tribune.yml")])
        #expect(result.exit == .code(0), "\(page): \(result.output)\(result.errors)")
    }

    private static func blocks(of page: String) throws -> [String] {
        try text(page).matches(of: /```yaml\n((?s).*?)```/).map { String($0.1) }
    }

    private func check(_ files: [String: String], of page: String) throws {
        let directory = TemporaryDirectory()
        for (name, content) in files { directory.write(content, to: name) }
        let result = try TribuneProgram.run(["check", "config", directory.file("tribune.yml")])
        #expect(result.exit == .code(0), "\(page): \(result.output)\(result.errors)")
    }

    @Test func configurationOfTheReadmeIsValid() throws {
        let blocks = try Self.blocks(of: "README.md")
        func block(_ start: String) throws -> String { try #require(blocks.first { $0.hasPrefix(start) }) }
        try check(
            [
                "tribune.yml": try block("# tribune.yml").replacing("/run/secrets/history", with: "history.connection")
                    .replacing("plans/*.yml", with: "plan*.yml"),
                "prometheus.yml": "rule_files: [rules.yml]", "history.connection": "host=/nowhere",
                "alertmanager.yml": "{route: {receiver: a}, receivers: [{name: a}]}",
                "rules.yml": try block("groups:"), "plan.yml": try block("plan:"),
            ], of: "README.md")
    }

    @Test func configurationOfGatesIsValid() throws {
        let blocks = try Self.blocks(of: "docs/operations/gates.md")
        let block = try #require(blocks.first { $0.hasPrefix("# tribune.yml") })
        try check(
            [
                "tribune.yml": "prometheus_config: prometheus.yml\n"
                    + block.replacing("/run/secrets/gates", with: "secret")
                    .replacing("/run/secrets/executor", with: "secret"),
                "prometheus.yml": "global: {}", "secret": "long-enough-for-a-secret",
            ], of: "docs/operations/gates.md")
    }

    @Test func routesOfThePageAreValid() throws {
        let routes = try Self.blocks(of: "docs/operations/routes.md").filter { $0.hasPrefix("- ") }
        #expect(routes.count >= 6)
        for route in routes {
            let body = route.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
            try check(
                [
                    "tribune.yml": "{prometheus_config: prometheus.yml, plans: [plan.yml]}",
                    "prometheus.yml": "global: {}",
                    "plan.yml": """
                    plan: shop
                    stages: [100]
                    services:
                    - name: auth
                      stable_health: http://127.0.0.1:1/
                      routes:
                    \(body)
                    """,
                ], of: "docs/operations/routes.md")
        }
    }

    /// The page about the next release, continued from the tutorial's files on other ports.
    @Test func theNextReleaseWorksAsWritten() throws {
        let directory = TemporaryDirectory()
        func moved(_ text: String) -> String {
            text.replacing("/tmp/tribune-tutorial.sock", with: directory.file("socket"))
        }
        var tutorial = moved(try Self.text("docs/tutorial.md"))
        var page = moved(try Self.text("docs/operations/next-release.md"))
        for port in ["8080", "8081", "8082", "9190"] {
            let free = "\(Loopback.freePort())"
            tutorial = tutorial.replacing(":\(port)", with: ":\(free)").replacing("port=\(port)", with: "port=\(free)")
            page = page.replacing(":\(port)", with: ":\(free)")
        }
        for file in tutorial.matches(of: /\*\*`([a-z.]+)`\*\*\n\n```[a-z]+\n((?s).*?)```/) {
            // Without rules: there is no traffic here that they could measure, and without data nothing is promoted.
            directory.write(String(file.2).replacing("rule_files: [rules.yml]\n", with: ""), to: String(file.1))
        }
        let plans = Self.files(of: page).map(\.content)
        let commands = page.matches(of: /```sh\n((?s).*?)```/).map { String($0.1) }
        guard plans.count == 2, commands.count == 3 else {
            Issue.record("expected two plans and three blocks of commands")
            return
        }
        directory.write(plans[0], to: "plan.yml")
        directory.write(plans[1], to: "exchanged.yml")
        let start = tutorial.matches(of: /```sh\n((?s).*?)```/).map { String($0.1) }
        let serve = try #require(
            start.flatMap { $0.split(separator: "\n") }.first { $0.hasPrefix("tribune serve") }.map(String.init))
        let server = try #require(serve.firstMatch(of: /address=([0-9.:]+)/).map { "http://\($0.1)" })
        let script = """
            set -eu
            trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
            cd '\(directory.path)'
            PATH='\(TribuneProgram.path.dropLast("/tribune".count))':$PATH
            \(start[0])
            \(serve)
            tribune=$!
            until tribune check ready --url=\(server) 2>/dev/null; do sleep 0.2; done
            tribune rollout start shop --server=\(server) --reason="version 2"
            until tribune rollout status shop --server=\(server) | grep -q 'shop: promoted'; do sleep 0.2; done
            ! tribune rollout start shop --server=\(server)
            \(commands[0])
            cp exchanged.yml plan.yml
            \(commands[1])
            \(commands[2])
            """
        let result = try TribuneProgram.run(program: ["timeout", "170", "bash", "-c", script], seconds: 180)
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        #expect(result.errors.contains("make them the stable versions in the plan first"), "\(result.errors)")
        #expect(
            result.output.contains("checkout  desired stable 0 %, candidate 100 %; live 0/100;"), "\(result.output)")
    }

    // MARK: Commands

    /// Commands of `--help` with their options.
    private static let commands: [String: Set<String>] = {
        func output(_ words: [String]) -> [Substring] {
            ((try? TribuneProgram.run(words + ["--help"]).output) ?? "").split(separator: "\n")
        }
        let names = output([]).filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
            .map { String($0.dropFirst(2).split(separator: "  ", maxSplits: 1)[0]) }
        var commands: [String: Set<String>] = [:]
        for name in names {
            commands[name] = Set(
                output(name.split(separator: " ").map(String.init)).filter { $0.hasPrefix("  --") }
                    .map { String($0.dropFirst(4).prefix { $0 != "=" && $0 != " " }) })
        }
        return commands
    }()

    /// The text after `tribune ` in inline code and in blocks of `page`, up to the end of the command.
    private static func invocations(in page: String) -> [String] {
        let blocks = page.matches(of: /```[a-z]*\n((?s).*?)```/).flatMap { $0.1.split(separator: "\n") }
        let lines = blocks.compactMap { $0.firstMatch(of: /(?:^|\$ |until |; )tribune ([^|;&#`]*)/)?.1 }
        let inline = page.matches(of: /`tribune ([^`|;&]*)/).map(\.1)
        return (lines + inline).map { String($0.split(separator: "2>")[0]) }
    }

    @Test func commandsAndOptionsOfPagesExist() throws {
        let groups = Set(Self.commands.keys.map { $0.prefix { $0 != " " } })
        var count = 0
        for page in try Self.pages() {
            let text = try Self.text(page)
            for invocation in Self.invocations(in: text) {
                let words = invocation.split(separator: " ").map(String.init)
                guard let first = words.first, first.first?.isLowercase == true, first != "help" else { continue }
                let named = [words.prefix(2).joined(separator: " "), first].first { Self.commands[$0] != nil }
                guard let named, let options = Self.commands[named] else {
                    let isGroup = groups.contains(first[...]) && words.dropFirst().first?.first?.isLowercase != true
                    #expect(isGroup, "\(page): tribune \(invocation)")
                    continue
                }
                count += 1
                for option in invocation.matches(of: /--([a-z][a-z.-]*)/).map({ String($0.1) }) {
                    #expect(options.contains(option), "\(page): tribune \(invocation)")
                }
            }
            let known = Self.commands.values.reduce(into: Set<String>()) { $0.formUnion($1) }
            for flag in text.matches(of: /`--((?:web|storage|query|config|log)\.[a-z.-]*[a-z])/).map({ String($0.1) }) {
                #expect(known.contains(flag), "\(page): --\(flag)")
            }
        }
        #expect(count > 60)
    }

    // MARK: Names and numbers

    @Test func metricsOfPagesExist() throws {
        let known = Set(try Self.text("docs/api/metrics.md").matches(of: /`(tribune_[a-z_]+)`/).map { String($0.1) })
        for page in try Self.pages() where page.hasPrefix("docs/operations/") {
            let names = try Self.text(page).matches(of: /\$?tribune_[a-z_]+[a-z]/).map { String($0.0) }
            // Not a variable of nginx.
            for name in names where !name.hasPrefix("$") {
                let parts = ["_bucket", "_sum", "_count"].filter(name.hasSuffix).map { String(name.dropLast($0.count)) }
                #expect(([name] + parts).contains(where: known.contains), "\(page): \(name)")
            }
        }
    }

    @Test func everyLedgerKindIsInItsFormat() throws {
        let source = try Self.text("Sources/History/Ledger/LedgerEvent.swift")
        let cases = source.matches(of: /\n        case ([a-zA-Z]+)(?: = "([a-z_]+)")?/).map { String($0.2 ?? $0.1) }
        let page = try Self.text("docs/architecture/ledger.md")
        let rows = Set(page.matches(of: /\n\| `([a-z_]+)` \|[^|]*\|[^|]*\|[^|]*\|/).map { String($0.1) })
        let member = try #require(page.firstMatch(of: /\n\| `kind` \| ([^|]*) \|/)).1
        #expect(cases.count >= 19)
        for kind in cases {
            #expect(rows.contains(kind), "no row of \(kind) below Kinds")
            #expect(member.contains("`\(kind)`"), "\(kind) is missing in the row of the member kind")
        }
    }

    /// Limits as the page of scaling and the sources say them.
    @Test(arguments: [
        ("Rollback/Plan/RolloutPlan+Reading.swift", "serviceLimit = 64", "routes of a service | 64, 8"),
        ("Rollback/Plan/RolloutPlan+Reading.swift", "routeLimit = 8", "routes of a service | 64, 8"),
        ("Rollback/Rules/RollbackRule.swift", "trackLimit = 10_000", "one rollback rule | 10,000"),
        ("Scraper/Scraping/ScrapeRunner.swift", "maximumSeriesPerTarget = 1_000_000", "scraped body | 1,000,000"),
        ("Scraper/Scraping/ScrapeRunner.swift", "maximumBodyBytes = 256 << 20", "one scraped body | 256 MiB"),
        ("Scraper/Scraping/ScrapeRunner.swift", "maximumBodyMemory = 512 << 20", "all scraped bodies | 512 MiB"),
        ("RemoteWrite/RemoteWriteLanes.swift", "mostLanes = 1000", "their own lane | 1000"),
        ("PrometheusAPI/PrometheusAPI+Queries.swift", "maximumPoints: Int64 = 11_000", "of a range query | 11,000"),
        ("WebServer/HTTPServerConfiguration.swift", "maximumConnections = 512", "web server | 512"),
        ("Notification/Grouping/NotificationQueue.swift", "capacity = 100_000", "| alerts | 100,000"),
        ("TribuneAPI/EventStreams.swift", "maximumListeners = 100", "event stream | 100"),
        ("DeploymentGates/GateRunner.swift", "recordLimit = 500", "each gate | 500"),
        ("Tribune/Service/ServiceSettings.swift", "retentionBytes = Int.max", "15 days without a size limit"),
    ])
    func limitsOfThePageOfScalingAreThoseOfTheSources(_ file: String, _ source: String, _ page: String) throws {
        #expect(try Self.text("Sources/\(file)").contains(source), "\(file): \(source)")
        #expect(try Self.text("docs/operations/scaling.md").contains(page), "\(page)")
    }

    /// The table of the seven services against the plan and its comments.
    @Test func runbooksOfTheServicesAgreeWithThePlan() throws {
        let plan = try Self.text("rules/plans/acgs.yml")
        let page = try Self.text("docs/operations/runbooks-acgs.md")
        let general = try #require(plan.firstMatch(of: /\nstages: \[([^\]]*)\]/)).1
        let services = plan.matches(
            of: /# Listens on port (\d+)\.\n(?:#.*\n)*- name: (\w+)\n((?s).*?)(?=\n# Listens|\z)/)
        #expect(services.count == 7)
        for service in services {
            let depends = service.3.firstMatch(of: /depends: \[([^\]]*)\]/)?.1.split(separator: ", ") ?? []
            let stages = service.3.firstMatch(of: /\n  stages: \[([^\]]*)\]/)?.1 ?? general
            let limit = try #require(service.3.firstMatch(of: /template: p95 latency in ms, with: {limit: (\d+)}/)).1
            let list = depends.map { "`\($0)`" }.joined(separator: ", ")
            let row = "| `\(service.2)` | \(service.1) | \(list)\(list.isEmpty ? "" : " ")| \(stages) | \(limit) |"
            #expect(page.contains(row), "no row \(row)")
            #expect(page.contains("\n## \(service.2)\n"), "no section about \(service.2)")
        }
    }
}
