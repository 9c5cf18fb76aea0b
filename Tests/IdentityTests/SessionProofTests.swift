import Passwords
import Runtime
import Synchronization
import TLS
import TestSupport
import Testing
import WebServer

@testable import Identity

/// A session lasts no longer than the proof that it began with.
@Suite struct SessionProofTests {
    private func request(_ headers: [(name: String, value: String)]) -> HTTPServerRequest {
        HTTPServerRequest(path: "/", headers: headers, peer: "10.0.0.9")
    }

    private func admit(_ accessControl: AccessControl, _ token: String) throws(Refusal) -> Principal {
        try accessControl.admit(request([("Authorization", "Bearer \(token)")]), .order)
    }

    @Test func aReplacedTokenEndsTheSessionsThatBeganWithIt() throws {
        var policy = AccessPolicy()
        policy.tokens = [.init(.init("ci", roles: [.operator]), text: "leaked")]
        let accessControl = AccessControl(policy)
        let tokens = try #require(accessControl.issueTokens(for: try admit(accessControl, "leaked")))
        accessControl.reload(policy)
        _ = try admit(accessControl, tokens.access)
        policy.tokens = [.init(.init("ci", roles: [.operator]), text: "new")]
        accessControl.reload(policy)
        #expect(throws: Refusal.self) { try admit(accessControl, tokens.access) }
        #expect(accessControl.refreshTokens(tokens.refresh) == nil)
    }

    @Test func aChangedPasswordEndsTheSessionsThatBeganWithIt() throws {
        let hash = try #require(BcryptPasswords.hash("secret"))
        var policy = AccessPolicy()
        policy.users = [.init(.init("ada", roles: [.operator]), passwordHash: hash)]
        let accessControl = AccessControl(policy)
        let principal = try accessControl.admit(request([("Authorization", "Basic YWRhOnNlY3JldA==")]), .order)
        let tokens = try #require(accessControl.issueTokens(for: principal))
        _ = try admit(accessControl, tokens.access)
        policy.users[0].passwordHash = "$2b$04$" + String(repeating: "a", count: 53)
        accessControl.reload(policy)
        #expect(throws: Refusal.self) { try admit(accessControl, tokens.access) }
        #expect(accessControl.refreshTokens(tokens.refresh) == nil)
    }

    @Test func aTokenThatExpiresEndsItsSessions() throws {
        var policy = AccessPolicy()
        policy.tokens = [.init(.init("ci", roles: [.operator]), text: "t1")]
        policy.tokens[0].expires = SystemClock.wallMilliseconds() + 3000
        // The test asks often.
        policy.limits = [:]
        let accessControl = AccessControl(policy)
        let tokens = try #require(accessControl.issueTokens(for: try admit(accessControl, "t1")))
        #expect(
            Loopback.eventually {
                do throws(Refusal) { _ = try admit(accessControl, "t1") } catch { return true }
                return false
            })
        #expect(throws: Refusal.self) { try admit(accessControl, tokens.access) }
        #expect(accessControl.refreshTokens(tokens.refresh) == nil)
    }

    @Test func theCookieOfABrowserIsNoRefreshToken() throws {
        let accessControl = AccessControl()
        let grant = AccessPolicy.Grant("ada", roles: [.operator])
        accessControl.state.withLock {
            $0.sessions.begin(
                "id", grant, .session, refresh: SHA256.hash("cookie"), at: SystemClock.wallMilliseconds())
        }
        #expect(accessControl.refreshTokens("cookie") == nil, "else a login lasts for ever")
        let browser = try accessControl.admit(request([("Cookie", "tribune_session=cookie")]), .read)
        #expect(browser.name == "ada", "the session is not harmed")
    }

    @Test(.enabled(if: TokenMaker.isThere)) func keysOfAnIssuerThatIsAwayForADayAreNotBelieved() throws {
        let maker = try TokenMaker(now: SystemClock.wallMilliseconds() / 1000)
        let directory = TemporaryDirectory()
        var issuer = TokenIssuer("https://idp.example")
        issuer.keyFile = directory.write(maker.keys, to: "jwks.json")
        let keys = IssuerKeys(issuer)
        let text = try #require(maker.tokens.first { $0.name == "good EdDSA" }?.token)
        let token = try #require(JSONWebToken(text))
        let second: Int64 = 1_000_000_000
        #expect(keys.verifies(token, at: second))
        directory.write("away", to: "jwks.json")
        #expect(keys.verifies(token, at: 3600 * second), "for a while")
        let late = 25 * 3600 * second
        #expect(!keys.verifies(token, at: late))
        #expect(!keys.verifies(token, at: late + second), "also while the issuer is not asked again")
    }

    @Test(.enabled(if: TokenMaker.isThere)) func aTokenThatIsLookedAtDuringAReloadIsLookedAtAgain() throws {
        let maker = try TokenMaker(now: SystemClock.wallMilliseconds() / 1000)
        let directory = TemporaryDirectory()
        let reload = Mailbox<AccessControl>(capacity: 1)
        let server = LoopbackServer { _ in
            if case .message(let accessControl) = reload.receive(deadline: 0) {
                var policy = accessControl.policy
                policy.issuers[0].defaultRoles = [.observer]
                policy.issuers[0].review = nil
                accessControl.reload(policy)
            }
            return .ok(
                """
                {"kind":"TokenReview","status":{"authenticated":true,"audiences":["tribune"],"user":{"username":"ann"}}}
                """, type: "application/json")
        }
        defer { server.stop() }
        var issuer = TokenIssuer("https://idp.example")
        issuer.audiences = ["tribune"]
        issuer.defaultRoles = [.admin]
        issuer.keyFile = directory.write(maker.keys, to: "jwks.json")
        issuer.review = .init(url: server.url, tokenFile: directory.write("own\n", to: "own"))
        var policy = AccessPolicy()
        policy.issuers = [issuer]
        let accessControl = AccessControl(policy)
        reload.send(accessControl)
        let token = try #require(maker.tokens.first { $0.name == "good EdDSA" }?.token)
        _ = try admit(accessControl, token)
        #expect(throws: Refusal.self, "the role was taken away while the API server was asked") {
            try admit(accessControl, token)
        }
    }
}

/// What the web configuration's passwords need besides a comparison.
@Suite struct WebPasswordTests {
    /// Passwords of a web configuration; `secret` is right for everybody.
    private struct Passwords: HTTPAuthenticator {
        let asked = Mailbox<Void>(capacity: 1000)
        var responseHeaders: [(name: String, value: String)] { [] }
        func quickDecision(_ request: HTTPServerRequest) -> HTTPDecision? { nil }
        func decide(_ request: HTTPServerRequest) -> HTTPDecision {
            asked.send(())
            guard let (user, password) = request.basicCredentials, password == "secret" else {
                return .refuse(.text("no", status: 401))
            }
            return .admit(identity: user)
        }
    }

    private func status(
        _ authenticator: AccessAuthenticator, _ user: String, _ password: String, from peer: String = "10.0.0.9"
    ) -> Int {
        let text = Base64.text(Array("\(user):\(password)".utf8))
        let request = HTTPServerRequest(path: "/", headers: [("Authorization", "Basic \(text)")], peer: peer)
        switch authenticator.decide(request) {
        case .admit: return 200
        case .refuse(let response): return response.status
        }
    }

    @Test func aRightPasswordForgivesWrongOnes() {
        let authenticator = AccessAuthenticator(AccessControl(), passwords: Passwords())
        for round in 0..<4 {
            #expect(status(authenticator, "ada", "wrong") == 401, "\(round)")
            #expect(status(authenticator, "ada", "secret") == 200, "\(round)")
        }
    }

    @Test func aGuesserOfNamesIsBlockedBeforeHashesAreComputed() {
        let passwords = Passwords()
        let authenticator = AccessAuthenticator(AccessControl(), passwords: passwords)
        let answers = (0..<50).map { status(authenticator, "user\($0)", "guess") }
        #expect(answers.first == 401 && answers.last == 429)
        #expect(passwords.asked.count < 20)
        #expect(status(authenticator, "ada", "secret", from: "10.0.0.10") == 200, "others are not concerned")
    }
}
