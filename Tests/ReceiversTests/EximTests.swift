import CurlHTTP
import Glibc
import Receivers
import Runtime
import TestSupport
import Testing

/// Mails taken by Debian's Exim, configured as a mail server of a company is: encrypted, for authenticated users only.
@Suite(.enabled(if: EximServer.isAvailable, "Debian's exim4-daemon-light is not installed, or this is not root"))
struct EximTests {
    private func send(_ fields: String, to server: EximServer, port: Int? = nil, recipient: String = "ops@x.example")
        throws
    {
        let integration = try SenderFixture.integration(
            """
            email_configs: [{to: \(recipient), from: 'Tribune <tribune@x.example>', hello: me.example,
              smarthost: 'localhost:\(port ?? server.port)', tls_config: {ca_file: '\(server.authority)'},
              html: '<b>{{ (index .Alerts 0).Annotations.summary }}</b>', text: "Grüße\\n.\\n{{ .Status }}\\n", \(fields)}]
            """)
        var delivery = Delivery(
            SenderFixture.message(), externalURL: "http://tribune:9190", templates: .defaults,
            transport: NetworkTransport())
        try integration.settings.send(&delivery)
    }

    @Test(arguments: ["PLAIN", "LOGIN", "CRAM-MD5"], [false, true])
    func mailsAreTaken(mechanism: String, implicitTLS: Bool) throws {
        let server = try EximServer([mechanism])
        defer { server.stop() }
        let secret = mechanism == "CRAM-MD5" ? "auth_secret" : "auth_password"
        try send(
            "auth_username: ops, \(secret): s3cret, force_implicit_tls: \(implicitTLS)", to: server,
            port: implicitTLS ? server.implicitPort : nil)
        let mail = try server.onlyMail()
        #expect(mail.contains("X-Auth: ops \(mechanism)\n"), "\(mail)")
        #expect(mail.contains("X-TLS: TLS1.3:") && mail.contains("X-Hello: me.example\n"), "\(mail)")
        #expect(mail.contains("Return-path: <tribune@x.example>\nEnvelope-to: ops@x.example\n"))
        #expect(mail.contains("From: Tribune <tribune@x.example>\n") && mail.contains("To: ops@x.example\n"))
        #expect(
            mail.contains("\n\nGr=C3=BC=C3=9Fe\n.\nfiring\n") && mail.contains("<b>a:1 is &lt;slow&gt; &amp; sad</b>"))
    }

    @Test func theServersReasonIsReported() throws {
        let server = try EximServer(["PLAIN", "LOGIN", "CRAM-MD5"])
        defer { server.stop() }
        func reason(_ fields: String, port: Int? = nil, recipient: String = "ops@x.example") -> String {
            let failure = #expect(throws: DeliveryFailure.self) {
                try send(fields, to: server, port: port, recipient: recipient)
            }
            return failure?.reason ?? ""
        }
        let user = "auth_username: ops"
        #expect(reason("\(user), auth_password: wrong").contains("authentication failed"))
        #expect(reason("\(user), auth_secret: wrong").contains("authentication failed"))
        #expect(reason("").contains("550"))
        #expect(
            reason("\(user), auth_password: s3cret", recipient: "refused@x.example").contains("550"))
        #expect(!reason("\(user), auth_password: s3cret", port: server.implicitPort).isEmpty)
        #expect(server.mails.isEmpty)
    }
}

/// An Exim of a test, which keeps what it accepts.
final class EximServer {
    private static let program = "/usr/sbin/exim4"
    static let isAvailable = geteuid() == 0 && access(program, X_OK) == 0

    private let directory = TemporaryDirectory()
    private let process: ChildProcess
    /// The port on which TLS is started by a command.
    let port = Int(Loopback.freePort())
    /// The port on which TLS is spoken from the first byte.
    let implicitPort = Int(Loopback.freePort())
    let authority: String

    /// - Parameter mechanisms: the kinds of authentication that it offers, over TLS only.
    init(_ mechanisms: [String]) throws {
        let (certificate, key) = (directory.file("cert.pem"), directory.file("key.pem"))
        let made = try ChildProcess(
            [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
            ], output: .file(directory.file("openssl.log"))
        ).wait()
        try #require(made == .code(0))
        // Exim gives up root's rights when it is started with a configuration of its own.
        chmod(key, 0o644)
        authority = certificate
        let configuration = Self.configuration(directory, port, implicitPort, mechanisms)
        process = try ChildProcess(
            [Self.program, "-C", directory.write(configuration, to: "exim.conf"), "-bdf"],
            output: .file(directory.file("exim.log")), errors: .file(directory.file("exim.err")))
        let log = directory.file("log/mainlog")
        let isReady = Loopback.eventually { FileText.read(log)?.contains("daemon started") == true }
        try #require(isReady, "\(FileText.read(directory.file("exim.err")) ?? "")")
    }

    func stop() { _ = process.stop() }

    /// The mails accepted so far.
    var mails: [String] { Paths.existing(directory.file("mail/new/*")).compactMap { FileText.read($0) } }

    /// The mail that it has accepted, with lines of the server itself.
    func onlyMail() throws -> String {
        #expect(Loopback.eventually { !mails.isEmpty }, "\(FileText.read(directory.file("log/mainlog")) ?? "")")
        #expect(mails.count == 1)
        return try #require(mails.first)
    }

    private static func configuration(
        _ directory: TemporaryDirectory, _ port: Int, _ implicitPort: Int, _ mechanisms: [String]
    ) -> String {
        let authenticators = [
            "PLAIN": """
            PLAIN:
              driver = plaintext
              public_name = PLAIN
              server_prompts = :
              server_condition = ${if and{{eq{$auth2}{ops}}{eq{$auth3}{s3cret}}}}
              server_set_id = $auth2 PLAIN
              server_advertise_condition = ${if def:tls_in_cipher}
            """,
            "LOGIN": """
            LOGIN:
              driver = plaintext
              public_name = LOGIN
              server_prompts = Username:: : Password::
              server_condition = ${if and{{eq{$auth1}{ops}}{eq{$auth2}{s3cret}}}}
              server_set_id = $auth1 LOGIN
              server_advertise_condition = ${if def:tls_in_cipher}
            """,
            "CRAM-MD5": """
            CRAM:
              driver = cram_md5
              public_name = CRAM-MD5
              server_secret = ${if eq{$auth1}{ops}{s3cret}fail}
              server_set_id = $auth1 CRAM-MD5
              server_advertise_condition = ${if def:tls_in_cipher}
            """,
        ]
        return """
            keep_environment =
            primary_hostname = mx.example
            spool_directory = \(directory.file("spool"))
            log_file_path = \(directory.file("log"))/%slog
            pid_file_path = \(directory.file("exim.pid"))
            daemon_smtp_ports = \(port) : \(implicitPort)
            tls_on_connect_ports = \(implicitPort)
            local_interfaces = 127.0.0.1
            tls_advertise_hosts = *
            tls_certificate = \(directory.file("cert.pem"))
            tls_privatekey = \(directory.file("key.pem"))
            acl_smtp_rcpt = recipients
            host_lookup =
            begin acl
            recipients:
              deny !encrypted = *
                   message = encryption required
              deny !authenticated = *
                   message = authentication required
              deny local_parts = refused
                   message = no such user
              accept
            begin routers
            all:
              driver = accept
              transport = keep
            begin transports
            keep:
              driver = appendfile
              directory = \(directory.file("mail"))
              maildir_format
              create_directory
              return_path_add
              envelope_to_add
              headers_add = X-Auth: $authenticated_id\\nX-TLS: $tls_in_cipher\\nX-Hello: $sender_helo_name
            begin authenticators
            \(mechanisms.compactMap { authenticators[$0] }.joined(separator: "\n"))

            """
    }
}
