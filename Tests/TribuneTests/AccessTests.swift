import CurlHTTP
import Foundation
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// Who may do what with a running service.
@Suite struct AccessTests {
    private static let files = [
        "prometheus.yml": "global: {}\n",
        "plan.yml": """
        plan: shop
        stages: [50, 100]
        bake: 1h
        settle: 0s
        services: [{name: web, routes: [{exec: {shift: ["true"], read: [echo, '{"stable":100,"candidate":0}']}}]}]
        """,
        "tribune.yml": "prometheus_config: prometheus.yml\nplans: [plan.yml]\n",
    ]

    private func send(
        _ tribune: RunningTribune, _ path: String, _ headers: [(name: String, value: String)] = [],
        method: String = "POST", socket: String? = nil, body: String = ""
    ) throws -> HTTPResponse {
        var request = HTTPRequest(url: "http://127.0.0.1:\(tribune.port)\(path)")
        request.method = method
        request.headers = headers
        request.unixSocket = socket
        request.body = Array(body.utf8)
        return try HTTPClient().send(request)
    }

    private func mode(_ path: String) -> UInt32 {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o777 : 0
    }

    @Test func withoutConfigurationOrdersNeedTheTokenOrTheSocketOfTheStart() throws {
        let tribune = try RunningTribune(Self.files, flags: ["--web.enable-lifecycle"])
        let order = "/api/v1/rollouts/shop/start"
        #expect(try send(tribune, "/api/v1/rollouts", method: "GET").status == 200)
        for path in [order, "/-/reload", "/-/quit", "/api/v1/safety/checkpoint"] {
            let refused = try send(tribune, path)
            #expect(refused.status == 401, "\(path)")
            #expect(refused["WWW-Authenticate"] == "Bearer realm=\"tribune\"")
            #expect(try send(tribune, path, [("Authorization", "Bearer trl_0")]).status == 401, "\(path)")
        }
        let alerts = #"[{"labels":{"alertname":"A"}}]"#
        let json = (name: "Content-Type", value: "application/json")
        #expect(try send(tribune, "/api/v2/alerts", [json], body: alerts).status == 200)
        let proxied = try send(tribune, "/api/v2/alerts", [json, ("X-Forwarded-For", "127.0.0.1")], body: alerts)
        #expect(proxied.status == 401, "what came over a proxy is not from this machine")

        let run = tribune.directory.file("run")
        let socket = "\(run)/\(tribune.port).sock"
        let token = try #require(tribune.localToken)
        #expect(token.utf8.count > 60)
        #expect(mode("\(run)/\(tribune.port).token") == 0o600 && mode(socket) == 0o600 && mode(run) == 0o700)
        #expect(!tribune.log.contains(token))
        #expect(try send(tribune, order, [("Authorization", "Bearer \(token)")]).status == 200)
        #expect(try send(tribune, "/api/v1/rollouts/shop/abort", socket: socket).status == 200)
        #expect(
            try send(tribune, "/api/v1/rollouts/shop/abort", [("X-Forwarded-For", "1.2.3.4")], socket: socket).status
                == 401)
        #expect(try send(tribune, "/-/reload", socket: socket).status == 200)
        #expect(tribune.process.stop(graceMilliseconds: 20_000) == .code(0))
        #expect(!Paths.exists(socket) && tribune.localToken == nil)
    }

    @Test func commandsFindTheSocketByThemselves() throws {
        let certificate = TemporaryDirectory()
        let made = try TribuneProgram.run(program: [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout",
            certificate.file("key"), "-out", certificate.file("crt"),
        ])
        #expect(made.exit == .code(0))
        // Over TCP the commands could neither verify the certificate nor show the password.
        let web = certificate.write(
            """
            tls_server_config: {cert_file: \(certificate.file("crt")), key_file: \(certificate.file("key"))}
            basic_auth_users: {alice: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}
            """, to: "web.yml")
        let directory = TemporaryDirectory()
        for (name, text) in Self.files { directory.write(text, to: name) }
        let port = Loopback.freePort()
        let environment = ["/usr/bin/env", "TRIBUNE_RUNTIME_DIR=\(directory.file("run"))"]
        let server = try ChildProcess(
            environment + [
                TribuneProgram.path, "serve", "--config.file=\(directory.file("tribune.yml"))",
                "--storage.path=\(directory.file("data"))", "--web.listen-address=127.0.0.1:\(port)",
                "--web.config.file=\(web)",
            ], output: .file(directory.file("log")))
        defer { server.stop(graceMilliseconds: 20_000) }
        func rollout(_ words: String...) throws -> TribuneProgram.Result {
            try TribuneProgram.run(
                program: environment + [TribuneProgram.path, "rollout"] + words + ["--server=https://localhost:\(port)"]
            )
        }
        #expect(Loopback.eventually { (try? rollout("status").exit) == .code(0) })
        #expect(try rollout("start", "shop").output == "shop: start accepted\n")
        #expect(try rollout("abort", "shop").exit == .code(0))
        let stranger = try TribuneProgram.run(
            program: [
                "/usr/bin/env", "TRIBUNE_RUNTIME_DIR=\(directory.file("other"))", TribuneProgram.path, "rollout",
                "abort",
                "shop", "--server=https://localhost:\(port)",
            ])
        #expect(stranger.exit == .code(1))
    }

    @Test func aPageInABrowserChangesNothing() throws {
        let tribune = try RunningTribune(
            Self.files, flags: ["--web.enable-remote-write-receiver", "--web.enable-lifecycle"])
        let token = (name: "Authorization", value: "Bearer \(try #require(tribune.localToken))")
        let page: [[(name: String, value: String)]] = [
            [("Origin", "http://evil.example")], [("Origin", "null")], [("Sec-Fetch-Site", "cross-site")],
            [("Host", "evil.example"), ("Origin", "http://evil.example")],
        ]
        for path in [
            "/api/v1/write", "/api/v2/alerts", "/api/v2/silences", "/api/v1/rollouts/shop/rollback", "/-/reload",
            "/-/quit",
        ] {
            for headers in page {
                #expect(try send(tribune, path, headers + [token]).status == 403, "\(path) \(headers)")
            }
        }
        let rebound = try send(tribune, "/api/v1/query?query=up", [("Host", "evil.example")], method: "GET")
        #expect(rebound.status == 403)
        #expect(String(decoding: rebound.body, as: UTF8.self).contains("evil.example"))
        #expect(try send(tribune, "/-/healthy", [("Host", "evil.example")], method: "GET").status == 200)
    }

    @Test func everyResponseHasSecurityHeaders() throws {
        let tribune = try RunningTribune(Self.files)
        for (path, status) in [("/-/healthy", 200), ("/api/v1/rules", 200), ("/nowhere", 404), ("/ui/", 200)] {
            let response = try send(tribune, path, method: "GET")
            #expect(response.status == status, "\(path)")
            #expect(response["X-Content-Type-Options"] == "nosniff", "\(path)")
            #expect(response["X-Frame-Options"]?.lowercased() == "deny", "\(path)")
            #expect(response["Content-Security-Policy"]?.contains("default-src 'none'") == true, "\(path)")
            #expect(response.headers.filter { $0.name.lowercased() == "content-security-policy" }.count == 1, "\(path)")
        }
        #expect(try send(tribune, "/-/reload").status == 401)
        #expect(try send(tribune, "/-/reload")["X-Content-Type-Options"] == "nosniff")
    }
}
