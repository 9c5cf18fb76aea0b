import Database
import JSON
import Runtime
import TestSupport
import Testing

@testable import History

@Suite struct ConfigurationSnapshotTests {
    private let directory = TemporaryDirectory()

    private func snapshot(_ texts: [String: String]) throws -> ConfigurationSnapshot {
        for (name, text) in texts { directory.write(text, to: name) }
        return try ConfigurationReader(directory: directory.path).snapshot(texts.keys.map { directory.file($0) })
    }

    @Test func `a weakened rule shows with both contents, the difference and who did it`() throws {
        let world = try EvidenceWorld(.sqlite)
        let strict = try snapshot(["rules.yml": "rules:\n  - alert: Low\n    expr: score < 0.95\n", "a.yml": "x: 1\n"])
        let weak = try snapshot(["rules.yml": "rules:\n  - alert: Low\n    expr: score < 0.10\n", "a.yml": "x: 1\n"])
        #expect(strict.identity != weak.identity)
        let runner = try world.start()
        let ada = LedgerActor(identity: "ada", method: "basic")
        runner.record(strict.event(after: nil, subject: "t.yml", error: nil, actor: nil, at: 1))
        runner.record(weak.event(after: strict, subject: "t.yml", error: nil, actor: ada, at: 2))
        runner.record(strict.event(after: weak, subject: "t.yml", error: nil, actor: ada, at: 3))
        #expect(runner.drain(timeout: 30_000))
        runner.stop()
        let entries = try world.ledger().entries(LedgerQuery(kinds: [.configurationChange]))
        let diff = try #require(entries[1].event.body["diff"]?.elements)
        #expect(diff.count == 1)
        #expect(
            diff[0]["text"]?.text
                == "@@ -3,1 +3,1 @@\n rules:\n   - alert: Low\n-    expr: score < 0.95\n+    expr: score < 0.10\n ")
        #expect(entries[1].actor?["identity"]?.text == "ada")
        #expect(entries[0].event.body["configuration"] == entries[2].event.body["configuration"])
        let blobs = try world.ledger().store.rows("SELECT content FROM blob").map {
            String(decoding: $0[0].blob, as: UTF8.self)
        }
        #expect(blobs.count == 3 && blobs.contains { $0.contains("0.10") })
        #expect(try world.audit.verify().problems == [])
        let export = world.directory.file("export")
        try world.audit.export(to: export)
        #expect(try LedgerAudit.verify(export: export).problems == [])

        try world.configuration.openStore().run("DELETE FROM blob WHERE content = CAST('x: 1\n' AS BLOB)")
        let problems = try world.audit.verify().problems
        #expect(
            problems.count == 3 && problems.allSatisfy { $0.message.contains("content that it refers to was removed") })
        let other = try snapshot(["x.yml": "y"])
        #expect(other.identity == (try snapshot(["x.yml": "y"])).identity, "the key of the hashes stays")
    }

    @Test(arguments: [
        ("password: hunter2", "hunter2"),
        ("  api_url: 'https://hooks.example/T0/B0/hunter2'", "hunter2"),
        ("basic_auth: {username: ada, password: hunter2, x: 1}", "hunter2"),
        ("- auth_password: \"hun\\\"ter2\" # no", "ter2"),
        ("bearer_token: |\n  hunter2\n  more\nnext: 1", "hunter2"),
        ("url: http://ada:hunter2@host/x", "hunter2"),
        ("connection: host=db password=hunter2", "hunter2"),
        ("x: 'host=db password=hunter2 port=1'", "hunter2"),
        ("slack_api_url: hunter2", "hunter2"),
        ("authorization:\n  credentials: hunter2", "hunter2"),
    ]) func `secrets become hashes`(text: String, secret: String) throws {
        let redactor = SecretRedactor(key: [1, 2, 3])
        let redacted = redactor.redacted(text)
        #expect(!redacted.contains(secret), "\(redacted)")
        #expect(redacted.contains("<secret "))
        #expect(redacted.split(separator: "\n")[0].hasPrefix(text.prefix { $0 != ":" }))
        #expect(redacted == redactor.redacted(text))
        #expect(redacted != SecretRedactor(key: [1, 2, 4]).redacted(text))
    }

    @Test(arguments: [
        "opsgenie_api_key: S3cr3t", "mattermost_webhook_url: http://a/S3cr3t", "token_id: S3cr3t",
        "http_headers: {X-Key: {secrets: [a, S3cr3t]}, Y: {values: [S3cr3t]}}",
        "  headers: {Authorization: \"Bearer S3cr3t\", X: S3cr3t}", "headers:\n  Authorization: Bearer S3cr3t\nnext: 1",
        "secrets:\n- S3cr3t\n- S3cr3t\nnext: 1", "webhook_configs:\n- url: http://a/S3cr3t\n  send_resolved: true",
        "webhook_configs: [{url: \"http://a/S3cr3t\"}]",
        "calendar: {url: 'http://a/S3cr3t', refresh: 5m}", "  calendar:\n    refresh: 5m\n    url: http://a/S3cr3t",
        "dead_mans_switch: {url: http://a/S3cr3t, every: 1m}",
        "  webhook_configs:\n  - send_resolved: true\n    url: http://a/S3cr3t",
        "password:\n  S3cr3t\nnext: 1", "- password: # changed\n    S3cr3t\n  next: 1", "password : S3cr3t",
        "\"token\" : S3cr3t\nnext: 1", "password: \"a\n  S3cr3t\"\nnext: 1", "token: a\n  S3cr3t\n\nnext: 1",
        "command: [a, --password=a, --password=S3cr3t]", "x: 'host=db PASSWORD=S3cr3t'",
        "- {name: ada, password_hash: $2b$04$S3cr3t, roles: [admin]}", "basic_auth_users:\n  ada: S3cr3t\nnext: 1",
        "  key: |\n    -----BEGIN PRIVATE KEY-----\n    S3cr3t\n    -----END PRIVATE KEY-----\nnext: 1",
        "  key: \"-----BEGIN RSA PRIVATE KEY-----\\nS3cr3t\"\nnext: 1", "consumer_key: S3cr3t",
    ]) func `secrets of receivers and headers are redacted too`(text: String) {
        let redacted = SecretRedactor(key: [1]).redacted(text)
        #expect(!redacted.contains("S3cr3t"), "\(redacted)")
        #expect(redacted.contains("next: 1") == text.contains("next: 1"), "\(redacted)")
    }

    @Test func `what follows a secret keeps its lines`() {
        let redactor = SecretRedactor(key: [1])
        let text =
            "a:\n- password: x\n  user: y\n\n- password:\n    x\n\n  user: y\n- {password: x, user: y,\n"
            + "   roles: [z]}\n"
        #expect(
            redactor.redacted(text)
                == "a:\n- password: \(redactor.mark("x"))\n  user: y\n\n- password:\n    \(redactor.mark("    x"))\n\n"
                + "  user: y\n- {password: \(redactor.mark("x")), user: y,\n   roles: [z]}\n")
    }

    @Test func `what follows the webhooks keeps its addresses`() {
        let text = "webhook_configs:\n- url: http://a/S3cr3t\npagerduty_configs:\n- url: http://b/c"
        #expect(SecretRedactor(key: [1]).redacted(text).hasSuffix("pagerduty_configs:\n- url: http://b/c"))
    }

    @Test(arguments: [
        "password_file: /run/secrets/x", "expr: sum(rate(errors[5m])) / 2 < 0.95", "- key: value",
        "# password is secret",
        "root_key: tribune/root+00+AQ", "url: http://host:8080/x?a=b@c", "a:\n  b: c\n\n", "time: 10:30:00",
        "key: |\n  -----BEGIN CERTIFICATE-----\n  MII\n  -----END CERTIFICATE-----\n", "- alert: Token\n  for: 5m",
    ]) func `everything else stays`(text: String) {
        #expect(SecretRedactor(key: [1]).redacted(text) == text)
    }

    @Test func `a difference names the lines`() {
        #expect(TextDiff.text("a\nb\nc", "a\nb\nc") == "")
        #expect(TextDiff.text("", "a") == "@@ -1,1 +1,1 @@\n-\n+a")
        #expect(TextDiff.text("1\n2\n3\n4\n5", "1\n2\nx\n4\n5") == "@@ -3,1 +3,1 @@\n 1\n 2\n-3\n+x\n 4\n 5")
        let old = (1...40).map(String.init)
        var new = old
        new[4] = "five"
        new.remove(at: 30)
        let text = TextDiff.text(old.joined(separator: "\n"), new.joined(separator: "\n"))
        #expect(text.contains("-5\n+five\n 6\n 7\n …\n 29\n 30\n-31\n 32"))
    }
}
