import Glibc
import Instrumentation
import Passwords
import Synchronization
import TestSupport
import Testing
import WebServer
import YAML

@testable import Identity

@Suite struct AccessControlTests {
    /// bcrypt of `secret`, cost 4.
    private static let hash = "$2b$04$2E8iCFyNDy2QQ5Jd0PgLUeFyKGZ8kJiYs2lOlDUyWV3lOPY4mYk9q"

    private func request(
        _ peer: String = "10.0.0.9", _ headers: [(name: String, value: String)] = [], method: String = "POST"
    ) -> HTTPServerRequest { HTTPServerRequest(method: method, path: "/x", headers: headers, peer: peer) }

    private func refusal(
        _ accessControl: AccessControl, _ permission: Permission, _ request: HTTPServerRequest
    ) -> Refusal.Kind? {
        do throws(Refusal) {
            _ = try accessControl.admit(request, permission)
            return nil
        } catch {
            return error.kind
        }
    }

    @Test func withoutConfigurationThisMachineReadsSilencesAndSends() {
        let accessControl = AccessControl()
        for permission in [Permission.probe, .read, .silence, .alert, .write] {
            #expect(refusal(accessControl, permission, request("127.0.0.1")) == nil, "\(permission)")
        }
        for permission in [Permission.order, .gate, .administer, .audit] {
            #expect(refusal(accessControl, permission, request("127.0.0.1")) == .credentialsMissing, "\(permission)")
        }
        let proxied = request("127.0.0.1", [("X-Forwarded-For", "127.0.0.1")])
        for other in [request("10.0.0.9"), proxied] {
            #expect(refusal(accessControl, .probe, other) == nil)
            #expect(refusal(accessControl, .read, other) == nil)
            for permission in [Permission.silence, .alert, .write, .order, .gate, .administer, .audit] {
                #expect(refusal(accessControl, permission, other) == .credentialsMissing, "\(permission)")
            }
        }
    }

    @Test func tokensProveIdentities() throws {
        var policy = AccessPolicy()
        policy.tokens = [
            .init(.init("ci", roles: [.service], scope: Scope(plans: [NamePattern("shop")])), text: "t1"),
            .init(.init("old", roles: [.admin]), text: "t2", method: .token),
        ]
        policy.tokens[1].expires = 1
        let accessControl = AccessControl(policy)
        let ci = try accessControl.admit(request("10.0.0.9", [("Authorization", "Bearer t1")]), .gate)
        #expect(ci.name == "ci" && ci.method == .token && ci.scope.covers(plan: "shop") && !ci.scope.covers(plan: "x"))
        #expect(ci.address == "10.0.0.9")
        #expect(refusal(accessControl, .order, request("10.0.0.9", [("authorization", "bearer t1")])) == .forbidden)
        for shown in ["Bearer t2", "Bearer t3", "Bearer t", "Bearer t1X"] {
            #expect(
                refusal(accessControl, .order, request("10.0.0.9", [("Authorization", shown)])) == .credentialsWrong,
                "\(shown)")
        }
        for shown in ["Bearer ", "t1", "Basic t1", "Bearer"] {
            #expect(
                refusal(accessControl, .order, request("10.0.0.9", [("Authorization", shown)])) == .credentialsMissing,
                "\(shown)")
        }
        #expect(
            refusal(accessControl, .read, request("10.0.0.9", [("Authorization", "Bearer t3")])) == nil,
            "what is free stays so")
        policy.everybody = PermissionSet(.probe)
        accessControl.reload(policy)
        #expect(
            refusal(accessControl, .read, request("10.0.0.9", [("Authorization", "Bearer t3")])) == .credentialsWrong)
        #expect(refusal(accessControl, .read, request("10.0.0.9")) == .credentialsMissing)
        policy.tokens = []
        accessControl.reload(policy)
        #expect(
            refusal(accessControl, .gate, request("10.0.0.9", [("Authorization", "Bearer t1")])) == .credentialsWrong,
            "revoked")
    }

    @Test func thePagesOfOtherSitesChangeNothing() {
        let accessControl = AccessControl(.open)
        let foreign: [(name: String, value: String)] = [("Host", "localhost:1"), ("Origin", "http://evil.example")]
        for permission in [Permission.write, .alert, .silence, .order, .gate, .administer] {
            #expect(refusal(accessControl, permission, request("127.0.0.1", foreign)) == .foreignPage, "\(permission)")
        }
        #expect(refusal(accessControl, .read, request("127.0.0.1", foreign)) == nil)
    }

    @Test func aReboundNameIsRefused() {
        let accessControl = AccessControl(.open)
        let rebound: [(name: String, value: String)] = [("Host", "evil.example"), ("Origin", "http://evil.example")]
        for permission in [Permission.read, .write, .order] {
            #expect(refusal(accessControl, permission, request("127.0.0.1", rebound)) == .foreignHost, "\(permission)")
        }
        #expect(refusal(accessControl, .probe, request("127.0.0.1", rebound)) == nil)
    }

    @Test func wrongPasswordsLockOutOneNameAtOneAddress() throws {
        var policy = AccessPolicy()
        policy.users = [.init(.init("alice", roles: [.operator]), passwordHash: Self.hash)]
        let events = Mutex<[AccessEvent]>([])
        let registry = Registry()
        let accessControl = AccessControl(policy, registry: registry) { event in events.withLock { $0.append(event) } }
        func basic(_ text: String, _ peer: String = "10.0.0.9") -> HTTPServerRequest {
            let encoded = ["alice:wrong": "YWxpY2U6d3Jvbmc=", "bob:wrong": "Ym9iOndyb25n"][text]!
            return request(peer, [("Authorization", "Basic " + encoded)])
        }
        for _ in 0..<3 { #expect(refusal(accessControl, .order, basic("alice:wrong")) == .credentialsWrong) }
        #expect(refusal(accessControl, .order, basic("alice:wrong")) == .lockedOut)
        do throws(Refusal) {
            _ = try accessControl.admit(basic("alice:wrong"), .order)
        } catch {
            #expect((890...901).contains(error.retryAfterSeconds ?? 0))
        }
        #expect(refusal(accessControl, .order, basic("alice:wrong", "10.0.0.8")) == .credentialsWrong)
        #expect(refusal(accessControl, .order, basic("bob:wrong")) == .credentialsWrong)
        #expect(events.withLock { $0 }.contains(.lockedOut(name: "alice", address: "10.0.0.9", failures: 3)))
    }

    @Test func whatIsFreeStaysFreeForWrongPasswords() {
        var policy = AccessPolicy()
        policy.users = [.init(.init("alice", roles: [.operator]), passwordHash: Self.hash)]
        let accessControl = AccessControl(policy)
        let wrong = request("10.0.0.9", [("Authorization", "Basic YWxpY2U6d3Jvbmc=")])
        for _ in 0..<5 { #expect(refusal(accessControl, .read, wrong) == nil) }
        #expect(refusal(accessControl, .order, wrong) == .lockedOut, "but they count")
    }

    @Test func tooManyRequestsHaveToWait() {
        var policy = AccessPolicy()
        policy.limits[.read] = .init(perMinute: 60, burst: 5)
        let accessControl = AccessControl(policy)
        for _ in 0..<5 { #expect(refusal(accessControl, .read, request()) == nil) }
        #expect(refusal(accessControl, .read, request()) == .tooManyRequests)
        #expect(refusal(accessControl, .probe, request()) == nil)
        #expect(refusal(accessControl, .read, request("10.0.0.8")) == nil)
        for _ in 0..<50 {
            #expect(refusal(accessControl, .read, request("127.0.0.1")) == nil, "this machine has no limit")
        }
    }

    @Test func onlyTheControlSocketProvesTheOwnUser() throws {
        setenv("TRIBUNE_RUNTIME_DIR", "/tmp/tribune-accessControl-\(getpid())", 1)
        let local = try #require(LocalAccess())
        defer { rmdir(local.directory) }
        let accessControl = AccessControl(local: local)
        func peer(_ user: UInt32, _ path: String, _ headers: [(name: String, value: String)] = []) -> HTTPServerRequest
        {
            var request = request("", headers)
            request.client = HTTPPeer(
                address: "", credentials: .init(process: 1, user: user, group: 0), socketPath: path)
            return request
        }
        let own = try accessControl.admit(peer(geteuid(), local.startingSocket), .order)
        #expect(own.method == .socket && own.name != nil && own.roles == [.admin])
        #expect(refusal(accessControl, .order, peer(geteuid(), "/other.sock")) == .credentialsMissing)
        #expect(
            refusal(accessControl, .silence, peer(geteuid(), "/other.sock")) == nil, "another socket is this machine")
        #expect(refusal(accessControl, .order, peer(geteuid() + 1, local.startingSocket)) == .credentialsMissing)
        #expect(
            refusal(accessControl, .order, peer(geteuid(), local.startingSocket, [("X-Forwarded-For", "1.2.3.4")]))
                == .credentialsMissing, "a proxy is somebody else")
        #expect(
            refusal(accessControl, .order, request("10.0.0.1", [("Authorization", "Bearer \(local.token)")])) == nil)
    }

    @Test func denialsAreReportedUpToARate() {
        let events = Mutex<[AccessEvent]>([])
        let registry = Registry()
        let accessControl = AccessControl(registry: registry) { event in events.withLock { $0.append(event) } }
        for _ in 0..<100 {
            #expect(refusal(accessControl, .order, request("10.0.0.9", [("X-Tribune-Actor", "eve")])) != nil)
        }
        let denied = events.withLock { $0 }
        #expect((10...12).contains(denied.count))
        guard case .denied(let principal, let refusal, .order, "POST", "/x") = denied.first else {
            Issue.record("\(denied.first as Any)")
            return
        }
        #expect(principal.claimed == "eve" && principal.name == nil && principal.address == "10.0.0.9")
        #expect(refusal.kind == .credentialsMissing)
    }

    @Test func aUseIsReportedOnceAnHour() throws {
        let events = Mutex<[AccessEvent]>([])
        var policy = AccessPolicy()
        policy.tokens = [.init(.init("ci", roles: [.service]), text: "t1")]
        let accessControl = AccessControl(policy) { event in events.withLock { $0.append(event) } }
        for _ in 0..<10 { _ = try accessControl.admit(request("10.0.0.9", [("Authorization", "Bearer t1")]), .gate) }
        #expect(events.withLock { $0.count } == 1)
    }

    @Test func auditorsSeeTheLastUseOfEveryIdentity() throws {
        var policy = AccessPolicy()
        let hash = try #require(BcryptPasswords.hash("secret"))
        policy.users = [.init(.init("ada", roles: [.operator]), passwordHash: hash)]
        policy.tokens = [.init(.init("ada", roles: [.service]), text: "t1")]
        let accessControl = AccessControl(policy)
        _ = try accessControl.admit(request("10.0.0.9", [("Authorization", "Basic YWRhOnNlY3JldA==")]), .order)
        let used = accessControl.identities.filter { $0.lastUsed != nil }.map(\.method)
        #expect(used == [.basic], "and not that of another identity of the same name")
    }

    @Test func wrongPasswordsDoNotMakeRightOnesForgotten() throws {
        let passwords = BcryptPasswords()
        let hash = try #require(BcryptPasswords.hash("secret"))
        #expect(passwords.isValid("ada", "secret", hash: hash))
        for number in 0..<120 { #expect(!passwords.isValid("ada", "wrong \(number)", hash: Self.hash)) }
        #expect(passwords.remembered("ada", "secret", hash: hash) == true)
    }

    @Test(arguments: [
        ("tokens: [{name: a, hash: H, roles: [observer]}, {name: b, hash: H, roles: [admin]}]", "tokens"),
        ("issuers: [{issuer: https://a, audience: [x], jwks_file: missing.json}]", "issuers[0].jwks_file"),
        ("issuers: [{issuer: https://a, audience: [x], ca_file: missing.pem}]", "issuers[0].ca_file"),
    ]) func anAccessFileThatCannotWorkIsRefused(text: String, field: String) {
        let directory = TemporaryDirectory()
        let digits = String(repeating: "ab", count: 32)
        let path = directory.write(text.replacing("H,", with: digits + ","), to: "access.yml")
        let error = #expect(throws: YAMLError.self) { try AccessPolicy.load(path) }
        #expect(error?.field == field)
    }
}
