import Runtime
import Synchronization
import TLS
import TestSupport
import Testing
import WebServer

@testable import WebConfiguration

@Suite struct WebConfigurationTests {
    private static let certificates = Certificates()
    /// `secret`, with a cost of 4.
    private static let hash = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"

    private let directory = TemporaryDirectory()

    private func file(_ text: String) -> String {
        for name in ["server.pem", "server.key", "ca.pem"] { directory.write(Self.certificates.text(name), to: name) }
        return directory.write(text, to: "web.yml")
    }

    @Test func everyFieldIsRead() throws {
        let configuration = try WebConfiguration.load(
            file(
                """
                tls_server_config:
                  cert_file: server.pem
                  key_file: server.key
                  client_auth_type: RequireAndVerifyClientCert
                  client_ca_file: \(directory.file("ca.pem"))
                  client_allowed_sans: [node-1.example]
                  min_version: TLS12
                  max_version: TLS12
                  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]
                  prefer_server_cipher_suites: false
                  curve_preferences: [X25519, CurveP256]
                http_server_config:
                  http2: false
                  headers:
                    X-Frame-Options: deny
                    Strict-Transport-Security: max-age=31536000
                basic_auth_users:
                  alice: \(Self.hash)
                rate_limit:
                  interval: 1.5s
                  burst: 20
                """))
        let tls = try #require(configuration.tls)
        #expect(tls.certificateChain == Self.certificates.text("server.pem"))
        #expect(tls.privateKey == Self.certificates.text("server.key"))
        #expect(tls.clientAuthorities == Self.certificates.text("ca.pem"))
        #expect(tls.clientAuthentication == .requireAndVerify)
        #expect(tls.allowedClientNames == ["node-1.example"])
        #expect(tls.minimumVersion == .tls12)
        #expect(tls.maximumVersion == .tls12)
        #expect(tls.cipherSuites == ["ECDHE-ECDSA-AES128-GCM-SHA256"])
        #expect(!tls.prefersServerCipherSuites)
        #expect(tls.groups == ["X25519", "P-256"])
        #expect(tls.applicationProtocols == ["http/1.1"])
        #expect(configuration.headers.map(\.name) == ["X-Frame-Options", "Strict-Transport-Security"])
        #expect(configuration.users == ["alice": Self.hash])
        #expect(configuration.rateLimit == .init(intervalNanoseconds: 1_500_000_000, burst: 20))
        #expect(configuration.files.count == 4)
    }

    @Test func defaultsAreTheToolkits() throws {
        let empty = try WebConfiguration.load(file(""))
        #expect(empty.tls == nil && empty.users.isEmpty && empty.rateLimit == nil && empty.allowsHTTP2)
        let indented = Self.certificates.text("server.pem").split(separator: "\n").joined(separator: "\n    ")
        let key = Self.certificates.text("server.key").split(separator: "\n").joined(separator: "\n    ")
        let inline = try WebConfiguration.load(
            file("tls_server_config:\n  cert: |\n    \(indented)\n  key: |\n    \(key)\n"))
        let tls = try #require(inline.tls)
        #expect(tls.minimumVersion == .tls12)
        #expect(tls.maximumVersion == .tls13)
        #expect(tls.clientAuthentication == .none)
        #expect(tls.prefersServerCipherSuites)
        #expect(tls.applicationProtocols == ["h2", "http/1.1"])
    }

    @Test(arguments: [
        ("nonsense: 1", "unknown field \"nonsense\""),
        ("tls_server_config:\n  nonsense: 1", "unknown field \"nonsense\""),
        ("tls_server_config:\n  cert_file: server.pem", "missing one of key or key_file"),
        ("tls_server_config:\n  key_file: server.key", "missing one of cert or cert_file"),
        ("tls_server_config:\n  cert_file: none.pem\n  key_file: server.key", "failed to read cert_file"),
        ("tls_server_config:\n  cert_file: ca.pem\n  key_file: server.key", "key values mismatch"),
        (
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  min_version: TLS14",
            "unknown TLS version"
        ),
        (
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  cipher_suites: [x]",
            "unknown cipher: x"
        ),
        (
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  curve_preferences: [x]",
            "unknown curve: x"
        ),
        (
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_auth_type: x",
            "invalid ClientAuth: x"
        ),
        (
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_ca_file: ca.pem",
            "client CA's have been configured without a Client Auth Policy"
        ),
        (
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_allowed_sans: [a]",
            "client_allowed_sans requires"
        ),
        ("http_server_config:\n  headers:\n    X-Nonsense: 1", "can not be configured"),
        ("http_server_config:\n  headers:\n    X-Frame-Options: x", "invalid value for X-Frame-Options"),
        ("basic_auth_users:\n  alice: plain", "not a bcrypt hash"),
        ("rate_limit:\n  interval: soon", "not a duration"),
    ])
    func mistakesAreNamed(text: String, message: String) {
        let error = #expect(throws: WebConfigurationError.self) { _ = try WebConfiguration.load(file(text)) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("web.yml") == true)
    }

    @Test(arguments: [
        ("0", 0), ("5", 5), ("1s", 1_000_000_000), ("1m30s", 90_000_000_000), ("250ms", 250_000_000),
        ("0.5h", 1_800_000_000_000),
    ])
    func durationsAreGos(text: String, nanoseconds: Int64) {
        #expect(GoDuration.nanoseconds(text) == nanoseconds)
    }

    @Test(arguments: ["", "s", "1", "1x", "1s1", "-", "1e400h", "..s"].filter { $0 != "1" })
    func otherTextsAreNoDurations(text: String) {
        #expect(GoDuration.nanoseconds(text) == nil)
    }

    // MARK: Serving

    private func server(_ source: WebConfigurationSource) throws -> HTTPServer {
        var configuration = HTTPServerConfiguration()
        configuration.tls = { source.tls }
        configuration.authenticator = source
        return try HTTPServer(configuration, probe: { $0.path == "/probe" ? .text("up") : nil }) {
            .text("\($0.path) \($0.identity ?? "-")")
        }
    }

    @Test func passwordsAreAskedForAndHeadersAdded() throws {
        let source = try WebConfigurationSource(
            file(
                "basic_auth_users:\n  alice: \(Self.hash)\nhttp_server_config:\n  headers:\n    X-Frame-Options: deny\n"
            ))
        let server = try server(source)
        for path in ["/a", "/probe"] {
            let refused = RawHTTPClient.get(server.port, path)
            #expect(refused?.status == 401)
            #expect(refused?.header("WWW-Authenticate") == "Basic")
            #expect(refused?.header("X-Frame-Options") == "deny")
        }
        for _ in 0..<3 {
            // alice:secret, alice:wrong, bob:secret
            #expect(get(server, "YWxpY2U6c2VjcmV0")?.text == "/a alice")
            #expect(get(server, "YWxpY2U6d3Jvbmc=")?.status == 401)
            #expect(get(server, "Ym9iOnNlY3JldA==")?.status == 401)
        }
        #expect(get(server, "YWxpY2U6c2VjcmV0", "/probe")?.text == "up")
        #expect(get(server, "!")?.status == 401)
        server.stop()
    }

    private func get(_ server: HTTPServer, _ credentials: String, _ path: String = "/a") -> RawHTTPClient.Answer? {
        RawHTTPClient.get(server.port, path, headers: "Authorization: Basic \(credentials)\r\n")
    }

    @Test func changesTakeEffectWithoutARestartAndMistakesChangeNothing() throws {
        let errors = Mutex<[String]>([])
        let path = file("basic_auth_users:\n  alice: \(Self.hash)\n")
        let source = try WebConfigurationSource(path) { error in
            errors.withLock { $0.append(error?.description ?? "reloaded") }
        }
        let server = try server(source)
        #expect(RawHTTPClient.get(server.port, "/a")?.status == 401)
        directory.write("nonsense: 1\n", to: "web.yml")
        #expect(Loopback.eventually { source.configuration.users.count == 1 && errors.withLock { $0.count } == 1 })
        #expect(RawHTTPClient.get(server.port, "/a")?.status == 401)
        directory.write("", to: "web.yml")
        #expect(Loopback.eventually { RawHTTPClient.get(server.port, "/a")?.status == 200 })
        #expect(errors.withLock { $0.last } == "reloaded")
        // TLS begins with the next connection.
        directory.write("tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n", to: "web.yml")
        #expect(Loopback.eventually { source.tls != nil })
        let body = ShellCommand.run(
            "curl -sS --cacert \(Self.certificates.path("ca.pem")) https://localhost:\(server.port)/a")
        #expect(body == "/a -")
        server.stop()
    }

    @Test func requestsBeyondTheRateAreRefused() throws {
        let source = try WebConfigurationSource(file("rate_limit:\n  interval: 1h\n  burst: 3\n"))
        let server = try server(source)
        let statuses = (0..<5).map { _ in RawHTTPClient.get(server.port, "/a")?.status }
        #expect(statuses == [200, 200, 200, 429, 429])
        server.stop()
    }

    @Test func tokensComeBackWithTime() {
        let bucket = TokenBucket(.init(intervalNanoseconds: 10, burst: 2), now: 0)
        #expect(bucket.take(now: 0) && bucket.take(now: 0))
        #expect(!bucket.take(now: 9))
        #expect(bucket.take(now: 19))
        #expect(bucket.take(now: 1000) && bucket.take(now: 1000))
        #expect(!bucket.take(now: 1000))
    }
}
