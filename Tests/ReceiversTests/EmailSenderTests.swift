import CurlHTTP
import Glibc
import JSON
import MetricModel
import Receivers
import Runtime
import TestSupport
import Testing

/// Mails sent to a real SMTP server (aiosmtpd), with TLS and authentication.
@Suite(.enabled(if: SMTPServer.isAvailable, "Debian's python3-aiosmtpd is not installed"))
struct EmailSenderTests {
    private func send(
        _ fields: String, recipients: String = "Ops <ops@x.example>, second@x.example", to server: SMTPServer,
        _ message: Message = SenderFixture.message()
    ) throws {
        let integration = try SenderFixture.integration(
            """
            email_configs: [{to: '\(recipients)', from: 'Tribune <tribune@x.example>',
              smarthost: '127.0.0.1:\(server.port)', tls_config: {ca_file: '\(server.authority)', server_name: localhost}, \(fields)}]
            """)
        var delivery = Delivery(
            message, externalURL: "http://tribune:9190", templates: .defaults, transport: NetworkTransport())
        try integration.settings.send(&delivery)
    }

    @Test(arguments: ["starttls", "implicit"])
    func mailsAreSentEncryptedAndAuthenticated(mode: String) throws {
        let server = try SMTPServer(mode)
        defer { server.stop() }
        try send(
            """
            auth_username: ops, auth_password: s3cret, force_implicit_tls: \(mode == "implicit"), hello: me.example,
            text: '{{ .CommonAnnotations.summary }}{{ .Status }}', headers: {x-team: 'Bäcker', subject: 'Größe {{ .Status }}'}
            """, to: server)
        let mail = try server.nextMail()
        #expect(mail["tls"]?.bool == true && mail["user"]?.text == "ops" && mail["hello"]?.text == "me.example")
        #expect(mail["from"]?.text == "tribune@x.example")
        #expect(mail["to"] == ["ops@x.example", "second@x.example"])
        let data = try #require(mail["data"]?.text)
        #expect(data.contains("\r\nX-Team: =?utf-8?q?B=C3=A4cker?=\r\n") || data.hasPrefix("X-Team: "))
        #expect(data.contains("Subject: =?utf-8?q?Gr=C3=B6=C3=9Fe_firing?=\r\n"))
        #expect(data.contains("To: Ops <ops@x.example>, second@x.example\r\n"))
        #expect(data.contains("Content-Type: text/plain; charset=UTF-8\r\n\r\nfiring\r\n--"))
        #expect(data.contains("Content-Type: text/html; charset=UTF-8\r\n\r\n<!DOCTYPE html>"))
        // The HTML is escaped, then quoted.
        #expect(data.contains("a:1 is &lt;slow&gt; &amp; sad"))
    }

    @Test func wrongPasswordsAndUnknownRecipientsFail() throws {
        let server = try SMTPServer("starttls")
        defer { server.stop() }
        let denied = #expect(throws: DeliveryFailure.self) {
            try send("auth_username: ops, auth_password: wrong", to: server)
        }
        #expect(denied?.reason.contains("authentication failed") == true)
        #expect(denied?.reason.contains("wrong") == false)
        #expect(throws: DeliveryFailure.self) {
            try send("auth_username: ops, auth_password: s3cret", recipients: "refused@x.example", to: server)
        }
    }

    @Test func encryptionThatIsRequiredMustBeOffered() throws {
        let server = try SMTPServer("plain")
        defer { server.stop() }
        let error = #expect(throws: DeliveryFailure.self) { try send("html: x", to: server) }
        #expect(error?.reason.contains("TLS is required") == true)
        try send("require_tls: false, html: '', text: plain", to: server)
        #expect(try server.nextMail()["tls"]?.bool == false)
    }

    @Test func anUnknownCertificateIsRefused() throws {
        let server = try SMTPServer("implicit")
        defer { server.stop() }
        let integration = try SenderFixture.integration(
            "email_configs: [{to: a@x.example, from: b@x.example, smarthost: '127.0.0.1:\(server.port)', force_implicit_tls: true}]"
        )
        var delivery = Delivery(
            SenderFixture.message(), externalURL: "", templates: .defaults, transport: NetworkTransport())
        #expect(throws: DeliveryFailure.self) { try integration.settings.send(&delivery) }
    }

    @Test func mailsAboutAGroupAreOneConversation() throws {
        let server = try SMTPServer("plain")
        defer { server.stop() }
        var roots: [String] = []
        for resolved in [false, true] {
            try send(
                "require_tls: false, threading: {enabled: true, thread_by_date: none}", to: server,
                SenderFixture.message(resolved: resolved))
            let data = try #require(try server.nextMail()["data"]?.text)
            roots += data.split(separator: "\r\n").filter { $0.hasPrefix("References: ") }.map(String.init)
        }
        #expect(roots.count == 2 && roots[0] == roots[1] && roots[0].hasPrefix("References: <alert-"))
    }

    @Test func longAndOddLinesSurviveTheWay() throws {
        let server = try SMTPServer("plain")
        defer { server.stop() }
        let line = String(repeating: "x=é ", count: 60)
        try send("require_tls: false, html: '', text: \"\(line)\\n.\\n..dots \\n\"", to: server)
        let data = try #require(try server.nextMail()["data"]?.text)
        #expect(data.split(separator: "\r\n").allSatisfy { $0.utf8.count <= 998 })
        let body = try #require(data.components(after: "charset=UTF-8\r\n\r\n"))
        #expect(
            body.replacing("=\r\n", with: "").hasPrefix(
                String(repeating: "x=3D=C3=A9 ", count: 59) + "x=3D=C3=A9=20\r\n.\r\n..dots=20\r\n"))
    }
}

extension String {
    fileprivate func components(after mark: String) -> String? {
        firstRange(of: mark).map { String(self[$0.upperBound...]) }
    }
}

/// The server of `smtp_server.py`.
final class SMTPServer {
    private static let python = "/usr/bin/python3"
    static let isAvailable = (try? ChildProcess([python, "-c", "import aiosmtpd"]).wait()) == .code(0)

    private let directory = TemporaryDirectory()
    private let process: ChildProcess
    private var taken = 0
    let port: Int
    let authority: String

    init(_ mode: String) throws {
        let (certificate, key) = (directory.file("cert.pem"), directory.file("key.pem"))
        let made = try ChildProcess(
            [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
            ], output: .file(directory.file("openssl.log"))
        ).wait()
        try #require(made == .code(0))
        authority = certificate
        let tests = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        let script = "/\(tests)/Fixtures/smtp_server.py"
        let output = directory.file("mails")
        process = try ChildProcess(
            [Self.python, script, mode, certificate, key], output: .file(output), errors: .discarded)
        #expect(Loopback.eventually { FileText.read(output)?.contains("\n") == true })
        let first = FileText.read(output)?.split(separator: "\n").first.map(String.init) ?? ""
        port = Int(try #require(try JSON(parsing: first)["port"]?.integer))
    }

    /// The next mail that the server has accepted.
    func nextMail() throws -> JSON {
        let output = directory.file("mails")
        taken += 1
        func lines() -> [Substring] { FileText.read(output)?.split(separator: "\n") ?? [] }
        #expect(Loopback.eventually { lines().count > taken })
        return try JSON(parsing: String(try #require(lines().dropFirst(taken).first)))
    }

    func stop() { _ = process.stop() }
}
