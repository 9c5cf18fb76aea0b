import Runtime
import TestSupport
import Testing

/// `tribune ci constitutional-check` on real Git repositories with planted changes.
@Suite struct ConstitutionalCheckTests {
    private static let middleware = """
        CONSTITUTIONAL_HASH = "cdd01ef066bc6cf2"
        strict_constitutional_mode: bool = True
        compliance_threshold = 0.95

        class ConstitutionalMiddleware:
            bypass_paths = ["/health", "/metrics"]

            def handle(self, request):
                # The caller must know the constitution.
                if not validate_constitutional_hash(request.headers["X-Constitutional-Hash"]):
                    raise Refused()
        """
    private static let rules = """
        groups:
        - name: acgs
          rules:
          - alert: Compliance
            expr: acgs_constitutional_compliance_score < 0.95
            for: 3m
            labels: {severity: critical}
          - rollback: Latency
            expr: p95
            trip: "> 2000"
            consecutive: 2
            severity: high
            action: {plan: acgs, scope: service}
        """
    private static let plan = """
        plan: acgs
        freeze_if: [Hash]
        services:
        - name: auth
          gates: [{name: p95, expr: p95, healthy: "< 200"}]
        """

    private func git(_ directory: TemporaryDirectory, _ words: [String]) throws {
        let result = try TribuneProgram.run(
            program: ["git", "-C", directory.path, "-c", "user.name=t", "-c", "user.email=t@example.org"] + words)
        #expect(result.exit == .code(0), "\(words) \(result.errors)")
    }

    /// The result of the check after `change` of a repository with the files above.
    private func check(
        service: String? = nil, _ change: (TemporaryDirectory) throws -> Void
    ) throws -> TribuneProgram.Result {
        let directory = TemporaryDirectory()
        for name in ["services/auth", "services/ac"] { #expect(Paths.makeDirectory(directory.file(name))) }
        directory.write(Self.middleware, to: "services/auth/middleware.py")
        directory.write(Self.rules, to: "rules.yml")
        directory.write(Self.plan, to: "plan.yml")
        directory.write("print(1)\n", to: "services/ac/main.py")
        try git(directory, ["init", "-q"])
        try git(directory, ["add", "."])
        try git(directory, ["commit", "-q", "-m", "before"])
        try change(directory)
        try git(directory, ["add", "."])
        try git(directory, ["commit", "-q", "--allow-empty", "-m", "after"])
        let words = ["ci", "constitutional-check", "--offline", "--repository=\(directory.path)"]
        return try TribuneProgram.run(words + (service.map { ["--service=\($0)"] } ?? []) + ["--changes-since"])
    }

    @Test(
        "a planted change is found",
        arguments: [
            // The hash.
            (
                "services/auth/middleware.py", "cdd01ef066bc6cf2", "0000000000000000",
                "1: hash: another constitution hash"
            ),
            ("services/auth/middleware.py", "cdd01ef066bc6cf2", "", "hash: the constitution's hash stands 0 times"),
            // Its check.
            (
                "services/auth/middleware.py",
                "if not validate_constitutional_hash(request.headers[\"X-Constitutional-Hash\"]):",
                "if False:", "check: validate_constitutional_hash is used 0 times"
            ),
            (
                "services/auth/middleware.py", "        if not validate", "        # if not validate",
                "check: validate_constitutional_hash is used 0 times"
            ),
            (
                "services/auth/middleware.py", "bool = True", "bool = False",
                "2: check: strict_constitutional_mode is switched off"
            ),
            ("services/auth/middleware.py", "0.95", "0.9", "3: check: compliance_threshold is 0.9 instead of 0.95"),
            (
                "services/auth/middleware.py", "\"/metrics\"", "\"/metrics\", \"/\"",
                "6: check: bypass_paths has more exceptions: /"
            ),
            // Rules.
            ("rules.yml", "< 0.95", "< 0.9", "rule: alert Compliance: acts at < 0.9 instead of 0.95"),
            ("rules.yml", "for: 3m", "for: 30m", "rule: alert Compliance: waits 30m instead of 3m"),
            ("rules.yml", "critical", "warning", "rule: alert Compliance: severity warning instead of critical"),
            ("rules.yml", "score < 0.95", "other < 0.95", "rule: alert Compliance: the expression is another one"),
            ("rules.yml", "> 2000", "> 3000", "rule: rollback Latency: acts at > 3000 instead of 2000"),
            ("rules.yml", "consecutive: 2", "consecutive: 9", "rule: rollback Latency: needs 9 measurements"),
            (
                "rules.yml", "severity: high", "severity: high\n    mode: observe",
                "rule: rollback Latency: mode observe"
            ),
            ("rules.yml", "- rollback: Latency", "- rollback: Other", "rule: rollback Latency is gone"),
            ("plan.yml", "< 200", "< 900", "rule: gate p95 of auth: acts at > 900 instead of 200"),
            ("plan.yml", "[Hash]", "[]", "rule: freeze_if Hash is gone"),
        ])
    func planted(file: String, old: String, new: String, message: String) throws {
        let result = try check { directory in
            let text = try #require(FileText.read(directory.file(file)))
            #expect(text.contains(old))
            directory.write(text.replacing(old, with: new), to: file)
        }
        #expect(result.exit == .code(1), "\(result)")
        #expect(result.output.contains(message), "\(result)")
    }

    @Test("stricter rules, moved checks and unrelated changes are no findings")
    func harmless() throws {
        let result = try check { directory in
            directory.write("print(2)\n", to: "services/ac/main.py")
            directory.write(
                Self.rules.replacing("< 0.95", with: "< 0.97").replacing("for: 3m", with: "for: 1m")
                    .replacing("> 2000", with: "> 1000"), to: "alerts.yml")
            #expect(Paths.move(directory.file("rules.yml"), to: directory.file("gone.txt")))
            #expect(
                Paths.move(
                    directory.file("services/auth/middleware.py"), to: directory.file("services/auth/checks.py")))
        }
        #expect(result.exit == .code(0), "\(result)")
    }

    @Test("files of other services are left out; a revision that does not exist is an error")
    func scope() throws {
        let plant = { (directory: TemporaryDirectory) in
            _ = directory.write("x = 1\n", to: "services/auth/middleware.py")
        }
        #expect(try check(service: "auth", plant).exit == .code(1))
        let other = try check(service: "ac", plant)
        #expect(other.exit == .code(0) && other.output.hasPrefix("0 changed files"), "\(other)")
        let directory = TemporaryDirectory()
        try git(directory, ["init", "-q"])
        let unknown = try TribuneProgram.run([
            "ci", "constitutional-check", "--offline", "--repository=\(directory.path)", "--changes-since=abc",
        ])
        #expect(unknown.exit == .code(1) && unknown.errors.contains("git rev-parse"), "\(unknown)")
    }
}
