import Runtime
import TestSupport
import Testing

@Suite struct CommandLineTests {
    @Test func helpListsEveryCommand() throws {
        let result = try TribuneProgram.run(["--help"])
        #expect(result.exit == .code(0))
        for command in ["version", "query instant", "demo-service"] {
            #expect(result.output.contains("\n  \(command)"))
        }
    }

    @Test func everyCommandExplainsItself() throws {
        let list = try TribuneProgram.run(["--help"]).output
        let names = list.split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }.map { line in
            line.dropFirst(2).split(separator: "  ", maxSplits: 1)[0].split(separator: " ").map(String.init)
        }
        #expect(!names.isEmpty)
        for name in names {
            let result = try TribuneProgram.run(name + ["--help"])
            #expect(result.exit == .code(0))
            #expect(result.output.contains("Usage: tribune \(name.joined(separator: " "))"))
        }
    }

    @Test func helpOfACommandIsItsOwn() throws {
        for words in [["serve"], ["check", "config"], ["openapi"]] {
            let result = try TribuneProgram.run(["help"] + words)
            #expect(result.exit == .code(0))
            #expect(result.output.contains("Usage: tribune \(words.joined(separator: " "))"))
        }
        #expect(try TribuneProgram.run(["help"]).output.contains("Usage: tribune COMMAND"))
        #expect(try TribuneProgram.run(["help", "frobnicate"]).exit == .code(2))
    }

    @Test func checkConfigSaysWhatItWasGiven() throws {
        let directory = TemporaryDirectory()
        let good = directory.write("route: {receiver: a}\nreceivers: [{name: a}]\n", to: "alertmanager.yml")
        let result = try TribuneProgram.run(["check", "config", good])
        #expect(result.exit == .code(0))
        #expect(result.output == "SUCCESS: \(good) is a valid Alertmanager configuration: 1 receivers\n")
        let bad = directory.write("route: {receiver: b}\nreceivers: [{name: a}]\n", to: "bad.yml")
        #expect(try TribuneProgram.run(["check", "config", bad]).exit == .code(1))
        let half = directory.write("receivers: [{name: a}]\n", to: "half.yml")
        let checked = try TribuneProgram.run(["check", "config", half])
        #expect((checked.output + checked.errors).contains("half.yml:1:1: no routes provided"))
        let rules = directory.write("groups: []\n", to: "rules.yml")
        let refused = try TribuneProgram.run(["check", "config", rules])
        #expect(refused.exit == .code(2))
        #expect(refused.errors.contains("\(rules) is a rule file; check it with: tribune check rules \(rules)"))
    }

    @Test func aGroupOfCommandsExplainsItself() throws {
        let result = try TribuneProgram.run(["gate", "--help"])
        #expect(result.exit == .code(0))
        #expect(result.output.contains("\n  gate analyze "))
        #expect(result.errors.isEmpty)
    }

    @Test(
        arguments: [
            ([], "Usage: tribune COMMAND"),
            (["frobnicate"], "unknown command 'frobnicate'"),
            (["query"], "tribune query needs a subcommand"),
            (["query", "instant"], "an operand is missing"),
            (["version", "--nope"], "unknown option --nope"),
            (["demo-service", "--port"], "--port needs a value"),
            (["demo-service", "--port=x"], "--port must be a number from 0 to 65535, got \"x\""),
            (
                ["query", "instant", "--format=xml", "http://127.0.0.1:1", "up"],
                "--format must be promql or json, got \"xml\""
            ),
            (["serve", "--storage.retention.time=abc"], "must be a duration such as 90s or 24h, got \"abc\""),
            (["serve", "--storage.path="], "--storage.path must not be empty"),
            (["serve", "--config.file="], "--config.file must not be empty"),
            (["query", "range", "http://127.0.0.1:1", "up"], "--start and --end are required"),
        ] as [([String], String)])
    func wrongUsageIsExplainedAndEndsWithTwo(arguments: [String], message: String) throws {
        let result = try TribuneProgram.run(arguments)
        #expect(result.exit == .code(2))
        #expect(result.errors.contains(message))
        #expect(result.output.isEmpty)
    }

    @Test func anUnreachableServerIsOneClearLine() throws {
        let port = Loopback.freePort()
        let result = try TribuneProgram.run(["query", "instant", "http://127.0.0.1:\(port)", "up"])
        #expect(result.exit == .code(1))
        #expect(result.errors.split(separator: "\n").count == 1)
        #expect(result.errors.contains("onnect"))
    }

    @Test func versionIsOneLine() throws {
        #expect(try TribuneProgram.run(["version"]).output.hasPrefix("tribune 0."))
        #expect(try TribuneProgram.run(["--version"]).output.hasPrefix("tribune 0."))
    }
}

/// `tribune test rules` and `tribune check rules` with rollback rules.
@Suite struct RollbackRuleCommandTests {
    private let directory = TemporaryDirectory()

    private func run(_ test: String) throws -> TribuneProgram.Result {
        directory.write(
            """
            groups:
            - name: g
              rules:
              - rollback: Low
                expr: quality
                trip: "< 0.95"
                consecutive: 2
                missing: {policy: hold, after: 2m}
                clear: {trip: ">= 0.97", for: 0s}
                action: {plan: p}
            """, to: "rules.yml")
        let path = directory.write(
            """
            rule_files: [rules.yml]
            evaluation_interval: 30s
            tests:
            - interval: 30s
              input_series: [{series: 'quality{service="a"}', values: "1 0.5 stale 0.5 0.96 0.98"}]
              rollback_rule_test:

            """ + test, to: "test.yml")
        return try TribuneProgram.run(["test", "rules", path])
    }

    @Test func tripsAreExpectedByTheirElementAndTime() throws {
        let result = try run(
            """
              - {eval_time: 1m, rollback: Low}
              - {eval_time: 90s, rollback: Low, exp_trips: [{exp_labels: {service: a}, exp_tripped_at: 90s}]}
              - {eval_time: 2m, rollback: Low, exp_trips: [{exp_labels: {service: a}}]}
              - {eval_time: 150s, rollback: Low, exp_trips: []}
            """)
        #expect(result.exit == .code(0), "\(result.output)")
    }

    @Test(
        arguments: [
            ("{eval_time: 1m, rollback: Low, exp_trips: [{exp_labels: {service: a}}]}", "- {service=\"a\"}"),
            ("{eval_time: 90s, rollback: Low}", "+ {service=\"a\"}"),
            (
                "{eval_time: 90s, rollback: Low, exp_trips: [{exp_labels: {service: a}, exp_tripped_at: 1m}]}",
                "tripped at 1m30s"
            ),
            ("{eval_time: 1m, rollback: Lo}", "there is no such rule"),
            ("{eval_time: 1m, rollback: Low, exp_alerts: []}", "test.yml:7:"),
        ])
    func whatIsOtherwiseFails(test: String, text: String) throws {
        let result = try run("  - \(test)\n")
        #expect(result.exit == .code(1))
        #expect(result.output.contains(text), "\(result.output)")
    }

    @Test func lintTellsWhatARollbackRuleLeavesOpen() throws {
        let path = directory.write(
            """
            groups:
            - name: g
              rules:
              - rollback: Errors
                expr: rate(errors[5m]) / rate(requests[5m])
                trip: "> 0.01"
                cooldown: 0s
                action: {plan: p}
            """, to: "lint.yml")
        let result = try TribuneProgram.run(["check", "rules", path])
        #expect(result.exit == .code(0))
        for field in ["missing:", "min_samples:", "clear:", "cooldown:"] {
            #expect(result.output.contains("LINT: g: Errors: \(field)"), "\(result.output)")
        }
        #expect(try TribuneProgram.run(["check", "rules", "--lint-fatal", path]).exit == .code(3))
        let shipped = ["rules/rollback.yml", "rules/acgs.yml", "rules/history.yml"]
        #expect(try TribuneProgram.run(["check", "rules", "--lint-fatal"] + shipped).exit == .code(0))
    }
}
