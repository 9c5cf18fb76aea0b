import CurlHTTP
import Foundation
import JSON
import Runtime
import TestSupport
import Testing

/// A certificate from measurements, reports and attestations, and its verification without a server.
@Suite struct CertificationTests {
    private static let criteria = """
        certificate: test
        lines:
        - {id: scrape.up, section: measured, text: the target is up, expr: 'min(up)', healthy: "== 1", health: true}
        - {id: team.trained, section: attested, text: the team is trained, attested: true}
        - {id: load.tested, section: reported, text: load was tested, reports: [loadtest]}
        """

    private func server() throws -> RunningTribune {
        let hash = try TribuneProgram.run(["access", "password"], input: "correct-horse")
            .output.trimmingCharacters(in: .whitespacesAndNewlines)
        return try RunningTribune([
            "tribune.yml": "prometheus_config: prometheus.yml\naccess_config: access.yml\n",
            "prometheus.yml": """
            global: {scrape_interval: 250ms, scrape_timeout: 250ms}
            scrape_configs:
            - job_name: tribune
              static_configs: [{targets: ['127.0.0.1:PORT']}]
            """,
            "access.yml": "users:\n- {name: lead, password_hash: '\(hash)', roles: [admin]}\n",
            "password": "correct-horse\n", "criteria.yml": Self.criteria,
        ])
    }

    private func run(_ tribune: RunningTribune, _ arguments: [String]) throws -> TribuneProgram.Result {
        try TribuneProgram.run(
            program: [
                "/usr/bin/env", "TRIBUNE_RUNTIME_DIR=\(tribune.directory.file("run"))", TribuneProgram.path,
            ] + arguments + ["--server=http://127.0.0.1:\(tribune.port)"], seconds: 200)
    }

    @Test func unknownIsNotPassedAndAGrantedCertificateVerifiesOffline() throws {
        let tribune = try server()
        let file = tribune.directory.file("certificate.json")
        let certify = ["certify", tribune.directory.file("criteria.yml"), "--output=\(file)"]
        #expect(Loopback.eventually { (try? tribune.query("up"))?.values.contains("1") == true })

        let first = try run(tribune, certify)
        #expect(first.exit == .code(1), "\(first)")
        #expect(first.output.contains("[ ] the team is trained: unknown, target attested by a person (no entry)"))
        #expect(first.output.contains("[ ] load was tested: 0 of 1 passed"))
        #expect(first.output.contains("score  33.3 %"))

        // The token of the service's own user proves no person.
        let expires = "--expires=\(ISO8601DateFormatter().string(from: Date(timeIntervalSinceNow: 3600)))"
        let attest = ["certify", "attest", "team.trained", "--statement=all nine were there", expires]
        let shared = try run(tribune, attest)
        #expect(shared.exit == .code(1) && shared.errors.contains("an attestation needs a person"), "\(shared)")
        let person = try run(
            tribune, attest + ["--user=lead", "--password-file=\(tribune.directory.file("password"))"])
        #expect(person.exit == .code(0), "\(person)")
        let past = try run(tribune, ["certify", "attest", "x", "--statement=a", "--expires=2020-01-01T00:00:00Z"])
        #expect(past.exit == .code(1) && past.errors.contains("within the next 366 days"), "\(past)")
        #expect(try tribune.post("/api/v1/evidence?check=loadtest&outcome=passed&value=100").status == 200)

        // A ratio without requests is not a number, and neither healthy nor unhealthy.
        let measured = [
            "vector(1)": "passed", "vector(2)": "failed", "vector(0)/0": "unknown", "no_such_metric": "unknown",
            "label_replace(vector(0)/0,%22a%22,%22b%22,%22%22,%22%22)%20or%20vector(2)": "failed",
        ]
        for (expression, outcome) in measured {
            let answer = try tribune.post("/api/v1/evidence?check=n&expr=\(expression)&healthy=%3D%3D%201")
            #expect(try JSON(parsing: answer.body)["data"]?["outcome"]?.text == outcome, "\(expression)")
        }

        let second = try run(tribune, certify)
        #expect(second.exit == .code(0), "\(second)")
        #expect(second.output.contains("[x] the team is trained: all nine were there"))
        #expect(second.output.contains("granted"))

        let audit = try TribuneProgram.run([
            "audit", "verify", "--config.file=\(tribune.directory.file("tribune.yml"))",
            "--storage.path=\(tribune.directory.file("data"))",
        ])
        let key = try #require(
            audit.output.split(separator: "\n").first { $0.hasPrefix("key ") }?.split(separator: " ").last)
        tribune.process.signal(SIGTERM)
        _ = tribune.process.wait()

        let verify = { (path: String) in
            try TribuneProgram.run(["certify", "verify", path, "--public-key=\(key)"])
        }
        let genuine = try verify(file)
        #expect(genuine.exit == .code(0) && genuine.output.contains("The certificate is genuine."), "\(genuine)")
        let text = try #require(FileText.read(file))
        // Whoever alters what was attested, or leaves out an entry, is found.
        let altered = tribune.directory.write(
            text.replacing("all nine were there", with: "all ten were there!"), to: "altered")
        #expect(try verify(altered).exit == .code(1))
        var members = try JSON(parsing: text).members ?? []
        let sources = try #require(members.firstIndex { $0.name == "sources" })
        members[sources].value = .array(Array((members[sources].value.elements ?? []).dropFirst()))
        let shortened = try verify(tribune.directory.write(JSON.object(members).encoded, to: "shortened"))
        #expect(shortened.exit == .code(1) && shortened.output.contains("is not in the file"), "\(shortened)")
    }

    @Test(arguments: [
        ("certificate: a\nlines: []", "at least one line is required"),
        ("certificate: a\nlines: [{id: a, section: s, text: t}]", "needs exactly one of expr, reports and attested"),
        ("certificate: a\nlines: [{id: a, section: s, text: t, expr: up}]", "expr needs healthy"),
        ("certificate: a\nscore: 2\nlines: [{id: a, section: s, text: t, attested: true}]", "score"),
    ])
    func criteriaAreReadStrictly(text: String, message: String) throws {
        let directory = TemporaryDirectory()
        let result = try TribuneProgram.run(["certify", directory.write(text, to: "criteria.yml")])
        #expect(result.exit == .code(1) && result.errors.contains(message), "\(result)")
    }
}
