import CurlHTTP
import JSON
import Runtime
import TestSupport
import Testing

/// Two identities for what loosens protection; nobody for the way back.
@Suite struct FourEyesTests {
    private static func rules(_ rule: String) -> String {
        """
        groups:
        - name: g
          rules:
          - {rollback: Errors, expr: 'errors{service="web"}', trip: "> 5", action: {plan: shop}}
          \(rule)
        """
    }

    private static let strict =
        "- {rollback: Latency, expr: 'latency{service=\"web\"}', trip: \"> 100\", action: {plan: shop}}"

    private static let files = [
        "prometheus.yml": "rule_files: [rules.yml]\n",
        "rules.yml": rules(strict),
        "plan.yml": """
        plan: shop
        stages: [50, 100]
        bake: 1h
        settle: 0s
        services:
        - name: web
          gates: [{approval: two owners agree, approvals: 2, from: [alice, bob]}]
          routes:
          - exec:
              shift: [sh, -c, 'cat > "$TRIBUNE_RUNTIME_DIR/split"']
              read:
              - sh
              - -c
              - |
                c=$(sed -n 's/.*"candidate": *\\([0-9]*\\).*/\\1/p' "$TRIBUNE_RUNTIME_DIR/split" 2>/dev/null)
                echo "{\\"stable\\": $((100 - ${c:-0})), \\"candidate\\": ${c:-0}, \\"stable_healthy\\": true}"
        """,
        "tribune.yml": """
        prometheus_config: prometheus.yml
        plans: [plan.yml]
        access_config: access.yml
        reload: {second_approver: true}
        """,
    ]

    /// A service with the users alice, bob and carol, and their tokens.
    private func running() throws -> (tribune: RunningTribune, tokens: [String: String]) {
        var files = Self.files
        var tokens: [String: String] = [:]
        var entries: [Substring] = []
        for name in ["alice", "bob", "carol"] {
            let made = try TribuneProgram.run(["access", "token", name, "--role=admin"]).output.split(separator: "\n")
            tokens[name] = String(made[0])
            entries.append(made[1])
        }
        files["access.yml"] = "tokens:\n" + entries.joined(separator: "\n") + "\n"
        return (try RunningTribune(files, flags: ["--web.enable-lifecycle"]), tokens)
    }

    private func post(_ tribune: RunningTribune, _ path: String, _ token: String?) throws -> (status: Int, text: String)
    {
        var request = HTTPRequest(method: "POST", url: "http://127.0.0.1:\(tribune.port)\(path)")
        if let token { request.authorize(credentials: token) }
        let response = try HTTPClient().send(request)
        return (response.status, String(decoding: response.body, as: UTF8.self))
    }

    private func rule(_ tribune: RunningTribune, _ text: String) {
        tribune.directory.write(Self.rules(text), to: "rules.yml")
    }

    @Test func aLooserRuleNeedsASecondIdentity() throws {
        let (tribune, tokens) = try running()
        rule(tribune, Self.strict.replacing("> 100", with: "> 500"))
        let first = try post(tribune, "/-/reload", tokens["alice"])
        #expect(first.status == 409)
        #expect(first.text.contains("Latency: trip > 100 becomes > 500"), "\(first.text)")
        #expect(try post(tribune, "/-/reload", tokens["alice"]).status == 409, "the same identity does not count twice")
        #expect(try post(tribune, "/-/reload", tribune.localToken).status == 409, "the shared token proves nobody")
        tribune.process.signal(1)
        #expect(Loopback.eventually { tribune.log.contains("Two different identities have to order this reload") })
        #expect(try post(tribune, "/-/reload", tokens["bob"]).status == 200)
        #expect(try post(tribune, "/-/reload", tokens["bob"]).status == 200, "what is in force is no loosening")
        // The record is written by another thread.
        let isRecorded = Loopback.eventually {
            let record = try? TribuneProgram.run([
                "audit", "who", "--identity=bob", "--config.file=\(tribune.directory.file("tribune.yml"))",
                "--storage.path=\(tribune.directory.file("data"))",
            ])
            return record?.output.contains("configuration") == true
        }
        #expect(isRecorded)
    }

    @Test(arguments: [
        ("", "Latency: removed"), (strict.replacing("action:", with: "mode: shadow, action:"), "Latency: shadowed"),
        (strict.replacing("latency{", with: "latency2{"), "Latency: expr changed"),
        (strict.replacing("action:", with: "consecutive: 3, action:"), "Latency: consecutive 1 becomes 3"),
        (strict.replacing("action:", with: "missing: {policy: pass}, action:"), "Latency: missing changed"),
    ]) func everyWayToLoosenARuleIsNoticed(text: String, line: String) throws {
        let (tribune, tokens) = try running()
        rule(tribune, text)
        let refused = try post(tribune, "/-/reload", tokens["alice"])
        #expect(refused.status == 409 && refused.text.contains(line), "\(refused)")
    }

    @Test func anotherFileStartsAnew() throws {
        let (tribune, tokens) = try running()
        rule(tribune, "")
        #expect(try post(tribune, "/-/reload", tokens["alice"]).status == 409)
        rule(tribune, Self.strict.replacing("> 100", with: "> 101"))
        #expect(try post(tribune, "/-/reload", tokens["bob"]).status == 409, "alice has not seen this")
    }

    @Test func stricterRulesAndOtherChangesNeedNobodyElse() throws {
        let (tribune, tokens) = try running()
        rule(tribune, Self.strict.replacing("> 100", with: "> 50") + "\n  - {record: a, expr: '1'}")
        #expect(try post(tribune, "/-/reload", tokens["alice"]).status == 200)
        tribune.directory.write(
            Self.files["tribune.yml"]!.replacing("true", with: "false"), to: "tribune.yml")
        let refused = try post(tribune, "/-/reload", tokens["alice"])
        #expect(refused.status == 409 && refused.text.contains("reload.second_approver: removed"), "\(refused)")
    }

    @Test func aStageWaitsForTwoOwnersAndTheWayBackForNobody() throws {
        let (tribune, tokens) = try running()
        let order = "/api/v1/rollouts/shop/"
        func state() throws -> JSON? { try JSON(parsing: tribune.get("/api/v1/rollouts/shop").body)["data"] }
        #expect(try post(tribune, order + "start", tokens["carol"]).status == 200)
        #expect(
            Loopback.eventually {
                (try? post(tribune, order + "promote", tokens["carol"]))?.text.contains("carol may not") == true
            })
        #expect(try post(tribune, order + "promote", tribune.localToken).text.contains("proved identities"))
        #expect(try post(tribune, order + "promote", tokens["alice"]).status == 200)
        #expect(try post(tribune, order + "promote", tokens["alice"]).text.contains("alice has already approved web"))
        #expect(try post(tribune, order + "abort", tribune.localToken).status == 200)
        #expect(
            Loopback.eventually {
                (try? state()?["state"]) == "rolling_back" || (try? state()?["state"]) == "rolled_back"
            })
    }
}
