import CurlHTTP
import Foundation
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// Logins in a browser, at a real OpenID Connect provider.
@Suite struct LoginTests {
    private static let provider = "\(ReferenceTests.root)/.build/tools/oidc-provider-mock"

    static var isThere: Bool {
        let isThere = Paths.exists(provider)
        if !isThere { print("skipped: no OpenID Connect provider; ./test fetches it from PyPI") }
        return isThere
    }

    /// A provider, a Tribune that trusts it, and a browser without a window.
    private final class World {
        let provider: ChildProcess
        let tribune: RunningTribune
        let issuer: String
        private let log = TemporaryDirectory()
        private var cookies: [String: String] = [:]

        init() throws {
            let port = Loopback.freePort()
            issuer = "http://localhost:\(port)"
            provider = try ChildProcess(
                [
                    "/usr/bin/env", "PYTHONPATH=\(LoginTests.provider)", "python3", "-W", "ignore", "-m",
                    "oidc_provider_mock", "--port", "\(port)",
                ], output: .file(log.file("log")))
            let address = issuer + "/.well-known/openid-configuration"
            #expect(Loopback.eventually { (try? HTTPClient().send(HTTPRequest(url: address)).status) == 200 })
            tribune = try RunningTribune([
                "prometheus.yml": "global: {}\n",
                "tribune.yml": "prometheus_config: prometheus.yml\naccess_config: access.yml\n",
                "secret": "hunter2\n",
                "access.yml": """
                everybody: []
                this_machine: []
                issuers:
                - {issuer: '\(issuer)', login: {client_id: tribune-web, client_secret_file: secret}, roles: [admin]}
                """,
            ])
        }

        deinit { provider.stop(graceMilliseconds: 2000) }

        /// Sends what a browser sends: cookies of the host, and where the page is from that asks.
        func browse(
            _ url: String, method: String = "GET", body: String = "", headers: [(name: String, value: String)] = []
        ) throws -> HTTPResponse {
            var request = HTTPRequest(url: url.hasPrefix("/") ? "http://127.0.0.1:\(tribune.port)\(url)" : url)
            request.method = method
            request.headers = headers
            if !cookies.isEmpty, url.hasPrefix("/") || url.contains("127.0.0.1:\(tribune.port)") {
                let pairs = cookies.map { "\($0.key)=\($0.value)" }
                request.headers.append(("Cookie", pairs.joined(separator: "; ")))
            }
            request.body = Array(body.utf8)
            if !body.isEmpty { request.headers.append(("Content-Type", "application/x-www-form-urlencoded")) }
            let response = try HTTPClient().send(request)
            for header in response.headers where header.name.lowercased() == "set-cookie" {
                let parts = header.value.split(separator: ";")[0].split(separator: "=", maxSplits: 1)
                cookies[String(parts[0])] = parts.count == 2 ? String(parts[1]) : nil
            }
            return response
        }

        /// The URL with which the provider sends the browser back, for `user`.
        func authorize(_ user: String) throws -> String {
            let begin = try browse("/login")
            #expect(begin.status == 302 && begin["Set-Cookie"]?.contains("HttpOnly; SameSite=Lax") == true)
            let location = try #require(begin["Location"])
            #expect(location.contains("code_challenge_method=S256") && location.contains("nonce="))
            let back = try browse(location, method: "POST", body: "sub=\(user)")
            return try #require(back["Location"])
        }

        func forget() { cookies = [:] }
        func set(_ name: String, _ value: String) { cookies[name] = value }
        func cookie(_ name: String) -> String? { cookies[name] }
    }

    @Test(.enabled(if: LoginTests.isThere)) func aLoginGivesASessionThatOnlyOwnPagesUse() throws {
        let world = try World()
        #expect(try world.browse("/api/v1/rules").status == 401)
        let page = try world.browse("/ui/", headers: [("Accept", "text/html")])
        #expect(page.status == 302 && page["Location"] == "/login")
        let back = try world.authorize("alice")
        #expect(back.hasPrefix("http://127.0.0.1:\(world.tribune.port)/login/callback?code="))
        let done = try world.browse(back)
        #expect(done.status == 302 && done["Location"] == "/ui/", "\(String(decoding: done.body, as: UTF8.self))")
        let who = try JSON(parsing: try world.browse("/api/v1/access/whoami").body)["data"]
        #expect(who?["name"] == "alice" && who?["method"] == "session")
        let origin = (name: "Origin", value: "http://127.0.0.1:\(world.tribune.port)")
        #expect(try world.browse("/api/v1/rollouts/x/pause", method: "POST").status == 403, "who asks is not known")
        #expect(
            try world.browse("/api/v1/rollouts/x/pause", method: "POST", headers: [("Origin", "http://evil.example")])
                .status == 403)
        #expect(
            try world.browse("/api/v1/rollouts/x/pause", method: "POST", headers: [origin]).status == 404, "no plan")
        #expect(
            try world.browse(
                "/api/v1/rollouts/x/pause", method: "POST", headers: [("Sec-Fetch-Site", "same-origin")]
            ).status == 404)
        // The code counts once, and so does the state.
        #expect(try world.browse(back).status == 403)
        let session = try #require(world.cookie("tribune_session"))
        #expect(try world.browse("/logout", method: "POST", headers: [origin]).status == 303)
        world.set("tribune_session", session)
        #expect(try world.browse("/api/v1/rules").status == 401, "the session has ended at the server, too")
        #expect(!world.tribune.log.contains(session) && !world.tribune.log.contains("hunter2"))
    }

    @Test(.enabled(if: LoginTests.isThere)) func aLoginOfAnotherBrowserIsRefused() throws {
        let world = try World()
        // The attacker's own login, finished in the browser of somebody else.
        let back = try world.authorize("mallory")
        world.forget()
        #expect(try world.browse(back).status == 403)
        world.set("tribune_login", "guessed")
        #expect(try world.browse(back).status == 403)
        let own = try world.authorize("alice")
        let state = own.split(separator: "=").last.map(String.init) ?? ""
        #expect(try world.browse("/login/callback?code=wrong&state=\(state)").status == 403)
        #expect(try world.browse(own).status == 403, "a wrong code ends the login")
        #expect(try world.browse("/api/v1/rules").status == 401)
    }

    @Test(.enabled(if: LoginTests.isThere)) func withoutTheProviderTheSocketStillWorks() throws {
        let world = try World()
        world.provider.stop(graceMilliseconds: 2000)
        #expect(try world.browse("/login").status == 404)
        var request = HTTPRequest(url: "http://127.0.0.1:\(world.tribune.port)/api/v1/rollouts")
        request.unixSocket = world.tribune.directory.file("run/\(world.tribune.port).sock")
        #expect(try HTTPClient().send(request).status == 200)
    }
}
