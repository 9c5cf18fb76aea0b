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

    /// A service with identities, and what `access token` printed.
    private func withIdentities(_ more: String = "") throws -> (tribune: RunningTribune, token: String) {
        let made = try TribuneProgram.run(["access", "token", "ci", "--role=operator"]).output.split(separator: "\n")
        let hash = try TribuneProgram.run(["access", "password"], input: "correct horse\n").output
        var files = Self.files
        files["tribune.yml"] = files["tribune.yml"]! + "access_config: access.yml\n"
        files["access.yml"] = """
            everybody: []
            trusted_proxies: [127.0.0.1]
            users: [{name: alice, password_hash: \(hash.dropLast()), roles: [admin]}]
            tokens:
            \(made[1])
            - {name: other, hash: \(String(repeating: "00", count: 32)), roles: [operator], plans: [bank]}
            - {name: old, hash: \(String(repeating: "11", count: 32)), roles: [admin], expires: 2020-01-01T00:00:00Z}
            \(more)
            """
        return (try RunningTribune(files, flags: ["--web.enable-lifecycle"]), String(made[0]))
    }

    private static func basic(_ text: String) -> (name: String, value: String) {
        ("Authorization", "Basic " + Data(text.utf8).base64EncodedString())
    }

    @Test func identitiesOfTheAccessFileCount() throws {
        let (tribune, token) = try withIdentities()
        // A client behind the proxy that the file trusts.
        let away = (name: "X-Forwarded-For", value: "203.0.113.7")
        let ci = (name: "Authorization", value: "Bearer \(token)")
        #expect(try send(tribune, "/api/v1/rollouts", [away], method: "GET").status == 401)
        #expect(try send(tribune, "/-/healthy", [away], method: "GET").status == 200)
        #expect(try send(tribune, "/api/v1/rollouts", [away, ci], method: "GET").status == 200)
        #expect(try send(tribune, "/-/reload", [away, ci]).status == 403, "an operator is no admin")
        #expect(
            try send(tribune, "/api/v1/rollouts/shop/start", [away, ci, ("X-Tribune-Actor", "eve")]).status == 200)
        #expect(try send(tribune, "/-/reload", [away, Self.basic("alice:correct horse")]).status == 200)
        let shown = try send(tribune, "/api/v1/access/whoami", [away, ci], method: "GET")
        let data = try JSON(parsing: shown.body)["data"]
        #expect(data?["name"] == "ci" && data?["method"] == "token" && data?["address"] == "203.0.113.7")
        for _ in 0..<3 { #expect(try send(tribune, "/-/reload", [away, Self.basic("alice:x")]).status == 401) }
        let locked = try send(tribune, "/-/reload", [away, Self.basic("alice:correct horse")])
        #expect(locked.status == 429 && (Int(locked["Retry-After"] ?? "") ?? 0) > 800)
        let elsewhere = [(name: "X-Forwarded-For", value: "203.0.113.8"), Self.basic("alice:correct horse")]
        #expect(try send(tribune, "/-/reload", elsewhere).status == 200)
        let list = try send(tribune, "/api/v1/access/identities", elsewhere, method: "GET")
        let known = try #require(try JSON(parsing: list.body)["data"]?["identities"]?.elements)
        #expect(known.compactMap { $0["name"]?.text } == ["alice", "ci", "old", "other"])
        #expect(known[1]["last_used"]?.text != nil && known[3]["last_used"] == .null)
        #expect(try send(tribune, "/api/v1/access/identities", [away, ci], method: "GET").status == 403)

        // The actions are in the ledger, with proved and claimed identities.
        #expect(tribune.process.stop(graceMilliseconds: 20_000) == .code(0))
        func who(_ words: String...) throws -> String {
            try TribuneProgram.run(
                [
                    "audit", "who", "--config.file=\(tribune.directory.file("tribune.yml"))",
                    "--storage.path=\(tribune.directory.file("data"))",
                ] + words
            ).output
        }
        let byCI = try who("--identity=ci")
        #expect(
            byCI.contains("  order  access  token  203.0.113.7  ") && byCI.contains("rollouts/shop/start"), "\(byCI)")
        #expect(byCI.contains("  denied  access  token  203.0.113.7  ") && byCI.contains("  token_use  "), "\(byCI)")
        #expect(try who("--identity=eve") == "\n")
        #expect(try who("--identity=eve", "--claimed").contains("rollouts/shop/start"))
        let alice = try who("--identity=alice", "--claimed")
        #expect(alice.contains("  login  access  basic  ") && alice.contains("locked_out"), "\(alice)")
        #expect(!(tribune.log + byCI + alice).contains(token) && !tribune.log.contains("correct horse"))
    }

    @Test func aScannerIsBlockedAndNobodyElse() throws {
        let (tribune, token) = try withIdentities("anomaly: {never_block: [203.0.113.99]}")
        let ci = (name: "Authorization", value: "Bearer \(token)")
        func scan(_ address: String) throws -> Int {
            for number in 0..<100 {
                _ = try send(tribune, "/wp-\(number).php", [("X-Forwarded-For", address)], method: "GET")
                if try send(tribune, "/api/v1/rules", [("X-Forwarded-For", address)], method: "GET").status == 429 {
                    return number + 1
                }
            }
            return .max
        }
        #expect(try scan("203.0.113.7") < 50)
        #expect(try scan("203.0.113.99") == .max, "a configured address is never blocked")
        let attacker = (name: "X-Forwarded-For", value: "203.0.113.7")
        let blocked = try send(tribune, "/api/v1/rules", [attacker], method: "GET")
        #expect(blocked.status == 429 && (Int(blocked["Retry-After"] ?? "") ?? 0) > 800)
        #expect(try send(tribune, "/-/healthy", [attacker], method: "GET").status == 200)
        #expect(
            try send(tribune, "/api/v1/rules", [attacker, Self.basic("alice:correct horse")], method: "GET").status
                == 429,
            "no hash is computed for a blocked address")
        // A token cannot be guessed, so that who has one is not taken for the attacker at the same address.
        #expect(try send(tribune, "/api/v1/rules", [attacker, ci], method: "GET").status == 200)
        #expect(
            try send(tribune, "/api/v1/rules", [("X-Forwarded-For", "203.0.113.8"), ci], method: "GET").status == 200)
        let socket = tribune.directory.file("run/\(tribune.port).sock")
        let pardon = try send(tribune, "/api/v1/access/unblock?address=203.0.113.7", socket: socket)
        #expect(try JSON(parsing: pardon.body)["data"]?["unblocked"] == true)
        #expect(try send(tribune, "/api/v1/rules", [attacker], method: "GET").status == 401)
        let metrics = try send(tribune, "/metrics", method: "GET", socket: socket)
        #expect(String(decoding: metrics.body, as: UTF8.self).contains("\ntribune_access_blocks_total 1\n"))
    }

    @Test func aScopeLimitsOrdersToItsPlans() throws {
        let made = try TribuneProgram.run(["access", "token", "bank", "--role=operator"]).output.split(separator: "\n")
        let entry = made[1].replacing("roles:", with: "plans: [bank], roles:")
        var files = Self.files
        files["tribune.yml"] = files["tribune.yml"]! + "access_config: access.yml\n"
        files["access.yml"] = "tokens:\n\(entry)\n"
        let tribune = try RunningTribune(files)
        let bank = (name: "Authorization", value: "Bearer \(made[0])")
        let refused = try send(tribune, "/api/v1/rollouts/shop/start", [bank])
        #expect(refused.status == 403 && String(decoding: refused.body, as: UTF8.self).contains("bank may not"))
        #expect(try send(tribune, "/api/v1/safety/checkpoint", [bank], body: "{}").status == 403)
        // The scope is that of the file in force.
        tribune.directory.write("tokens:\n\(made[1])\n", to: "access.yml")
        tribune.process.signal(SIGHUP)
        #expect(
            Loopback.eventually { (try? send(tribune, "/api/v1/rollouts/shop/start", [bank]).status) == 200 })
        tribune.directory.write("tokens: []\n", to: "access.yml")
        tribune.process.signal(SIGHUP)
        #expect(
            Loopback.eventually { (try? send(tribune, "/api/v1/rollouts/shop/pause", [bank]).status) == 401 }, "revoked"
        )
    }

    @Test(arguments: [
        ("users: [{name: a, roles: [king]}]", "access.yml:1:26: users[0].roles: no role \"king\""),
        ("users: [{name: a}]", "users[0].roles: a has no role"),
        ("users: [{name: a, password_hash: x, roles: [admin]}]", "users[0].password_hash: is not a bcrypt hash"),
        ("tokens: [{name: a, hash: abc, roles: [admin]}]", "tokens[0].hash: must be the 64 hexadecimal digits"),
        ("trusted_proxies: [10.0.0.0/99]", "trusted_proxies[0]: must be an address or a network"),
        ("limits: {read: {burst: 0}}", "limits.read: per_minute must be"),
        ("nonsense: 1", "unknown field \"nonsense\""),
        ("lockout: {duration: 1x}", "lockout.duration: must be a duration"),
        ("users: [{name: a, roles: [admin]}, {name: a, roles: [admin]}]", "users: two entries have the same name"),
        ("everybody: [emperor]", "everybody: no role \"emperor\""),
    ])
    func faultsOfTheAccessFileNameTheField(text: String, message: String) throws {
        let directory = TemporaryDirectory()
        directory.write("global: {}\n", to: "prometheus.yml")
        directory.write("prometheus_config: prometheus.yml\naccess_config: access.yml\n", to: "tribune.yml")
        directory.write(text, to: "access.yml")
        let result = try TribuneProgram.run(["check", "config", directory.file("tribune.yml")])
        #expect(result.exit == .code(1))
        #expect((result.output + result.errors).contains(message), "\(result.output)\(result.errors)")
    }

    @Test func nobodyElseReadsTheData() throws {
        let tribune = try RunningTribune(Self.files)
        #expect(try tribune.post("/api/v1/rollouts/shop/start").status == 200)
        #expect(tribune.process.stop(graceMilliseconds: 20_000) == .code(0))
        let data = tribune.directory.file("data")
        let names = FileManager.default.enumerator(atPath: data)?.compactMap { $0 as? String } ?? []
        #expect(names.count > 10)
        for name in names + ["."] { #expect(mode("\(data)/\(name)") & 0o077 == 0, "\(name)") }
    }

    /// Requests that read although their method could change something.
    private static let readingPosts: Set<String> = [
        "/api/v1/query", "/api/v1/query_range", "/api/v1/query_exemplars", "/api/v1/format_query",
        "/api/v1/parse_query",
        "/api/v1/series", "/api/v1/labels",
    ]

    /// Routes whose path or body proves what the client may do: refresh tokens, signed links, keys of integrations,
    /// signatures of chats.
    private static let ownProofs: Set = [
        "/api/v1/access/refresh", "/api/v1/access/revoke", "/oncall/links/{token}", "/oncall/in/{key}",
        "/oncall/heartbeats/{key}", "/oncall/chat/slack", "/oncall/chat/mattermost", "/v2/enqueue",
    ]

    @Test func everyRouteNeedsItsPermission() throws {
        let tribune = try RunningTribune(Self.files, flags: ["--web.enable-lifecycle"])
        let document = try JSON(parsing: try tribune.get("/api/v1/openapi.json").body)
        var routes = 0
        for (path, methods) in (document["paths"]?.members ?? []).map({ ($0.name, $0.value) }) {
            for (method, operation) in (methods.members ?? []).map({ ($0.name.uppercased(), $0.value) }) {
                routes += 1
                let name = "\(method) \(path)"
                let permission = try #require(operation["x-permission"]?.text, "\(name) has no permission")
                if method != "GET", permission == "read" { #expect(Self.readingPosts.contains(path), "\(name)") }
                if method != "GET", permission == "probe" {
                    #expect(Self.ownProofs.contains(path), "\(name)")
                }
                if ["probe", "read"].contains(permission) { continue }
                // Somebody behind a proxy, without credentials.
                let stranger = (name: "X-Forwarded-For", value: "203.0.113.7")
                let target = path.replacing("{id}", with: "x").replacing("{plan}", with: "shop")
                    .replacing("{verb}", with: "start")
                let response = try send(tribune, target, [stranger], method: method)
                // After many refusals it is taken for an attacker.
                #expect([401, 429].contains(response.status), "\(name): \(response.status)")
            }
        }
        #expect(routes > 60)
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
