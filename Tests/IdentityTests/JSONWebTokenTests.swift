import Runtime
import TestSupport
import Testing
import WebServer

@testable import Identity

@Suite struct JSONWebTokenTests {
    private static func issuer(_ keyFile: String? = nil) -> TokenIssuer {
        var issuer = TokenIssuer("https://idp.example")
        issuer.audiences = ["tribune"]
        issuer.rolesClaim = "groups"
        issuer.roles = ["sre": [.operator]]
        issuer.keyFile = keyFile
        return issuer
    }

    @Test(.enabled(if: TokenMaker.isThere)) func rightTokensCountAndAttacksDoNot() throws {
        let maker = try TokenMaker(now: SystemClock.wallMilliseconds() / 1000)
        let directory = TemporaryDirectory()
        var policy = AccessPolicy()
        policy.issuers = [Self.issuer(directory.write(maker.keys, to: "jwks.json"))]
        policy.everybody = []
        let accessControl = AccessControl(policy)
        var address = 0
        func admit(_ token: String) -> Result<Principal, Refusal> {
            // From ever other addresses: nobody may show so many wrong tokens.
            address += 1
            let request = HTTPServerRequest(
                path: "/", headers: [("Authorization", "Bearer \(token)")],
                peer: "10.0.\(address / 200).\(address % 200)")
            return Result { () throws(Refusal) in try accessControl.admit(request, .order) }
        }
        var good = 0
        for (name, token) in maker.tokens {
            // Twice: the second time the outcome may come from what is remembered.
            for _ in 0..<2 {
                switch admit(token) {
                case .success(let principal):
                    #expect(name.hasPrefix("good"), "\(name) was admitted")
                    #expect(principal.name == "alice" && principal.method == .jwt && principal.roles == [.operator])
                case .failure(let refusal):
                    #expect(!name.hasPrefix("good"), "\(name): \(refusal.message)")
                    #expect([.credentialsWrong, .credentialsMissing].contains(refusal.kind), "\(name)")
                    #expect(token.isEmpty || !refusal.message.contains(token.prefix(40)), "\(name)")
                }
            }
            good += name.hasPrefix("good") ? 1 : 0
        }
        #expect(good == 12 && maker.tokens.count > 60)
        // Without the issuer nothing counts, also not what was verified before.
        policy.issuers = []
        accessControl.reload(policy)
        for (name, token) in maker.tokens {
            if case .success = admit(token) { Issue.record("\(name) was admitted") }
        }
    }

    @Test func levelsAndGroupsBecomeRoles() throws {
        var issuer = Self.issuer()
        issuer.levelClaim = "level"
        func roles(_ claims: String) throws -> Set<Role> {
            let all = "{\"iss\":\"https://idp.example\",\"aud\":\"tribune\",\"sub\":\"a\",\"exp\":1000,\(claims)}"
            let token = try #require(
                JSONWebToken("eyJhbGciOiJFUzI1NiJ9.\(Self.base64(all)).AAAA"))
            return try issuer.grant(of: token, at: 900).grant.roles
        }
        #expect(try roles(#""groups":["x","sre"]"#) == [.operator])
        #expect(try roles(#""groups":"sre""#) == [.operator])
        #expect(try roles(#""groups":["x"]"#) == [])
        #expect(try roles(#""level":10"#) == [.admin])
        #expect(try roles(#""level":"10""#) == [])
        #expect(try roles(#""level":99999999999999999999"#) == [])
    }

    private static func base64(_ text: String) -> String {
        var result = ""
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        var bits = 0
        var value = 0
        for byte in text.utf8 {
            value = (value << 8 | Int(byte)) & 0xffff
            bits += 8
            while bits >= 6 {
                bits -= 6
                result.append(alphabet[value >> bits & 63])
            }
        }
        if bits > 0 { result.append(alphabet[value << (6 - bits) & 63]) }
        return result
    }
}

@Suite struct SessionTests {
    private static func grant(_ name: String) -> AccessPolicy.Grant { .init(name, roles: [.operator]) }

    @Test func aRefreshTokenCountsOnce() {
        var sessions = Sessions()
        sessions.begin("s", Self.grant("a"), .basic, refresh: [1], at: 0)
        #expect(sessions["s", at: Sessions.milliseconds - 1] != nil && sessions["s", at: Sessions.milliseconds] == nil)
        let first = sessions.refresh([1], by: [2], at: 1000)
        #expect(first?.id == "s" && first?.session.expires == 1000 + Sessions.milliseconds)
        let unknown = sessions.refresh([9], by: [3], at: 1000)
        #expect(unknown == nil)
        let again = sessions.refresh([1], by: [3], at: 2000)
        #expect(again == nil, "somebody else has a copy")
        #expect(sessions["s", at: 2000] == nil, "so that the session ends for both")
        let after = sessions.refresh([2], by: [4], at: 2000)
        #expect(after == nil)
    }

    @Test func aSessionThatIsRefreshedForEverDoesNotFillTheMemory() {
        var sessions = Sessions()
        sessions.begin("s", Self.grant("a"), .basic, refresh: [0, 0], at: 0)
        for number in UInt8(1)...100 {
            let next = sessions.refresh([number - 1, 0], by: [number, 0], at: Int64(number))
            #expect(next != nil)
        }
        #expect((UInt8(0)...100).filter { sessions.id(ofRefresh: [$0, 0]) != nil }.count == 17)
    }

    @Test func manySessionsDoNotFillTheMemory() {
        var sessions = Sessions(capacity: 3)
        for number in UInt8(0)..<10 {
            sessions.begin("\(number)", Self.grant("a"), .basic, refresh: [number], at: Int64(number))
        }
        #expect((0..<10).filter { sessions["\($0)", at: 10] != nil } == [7, 8, 9])
    }

    @Test func ownTokensLastAsLongAsTheirSessionAndIdentity() throws {
        var policy = AccessPolicy()
        policy.tokens = [.init(.init("ci", roles: [.operator]), text: "t1")]
        let accessControl = AccessControl(policy)
        func admit(_ token: String) throws(Refusal) -> Principal {
            try accessControl.admit(
                HTTPServerRequest(path: "/", headers: [("Authorization", "Bearer \(token)")], peer: "10.0.0.9"), .order)
        }
        let principal = try admit("t1")
        let tokens = try #require(accessControl.issueTokens(for: principal))
        #expect(tokens.accessSeconds == 900 && tokens.refreshSeconds == 86400)
        let short = try admit(tokens.access)
        #expect(short.name == "ci" && short.method == .jwt && short.roles == [.operator])
        #expect(accessControl.issueTokens(for: short) == nil, "a session does not prolong itself")
        let next = try #require(accessControl.refreshTokens(tokens.refresh))
        _ = try admit(next.access)
        #expect(throws: Refusal.self) { try admit(next.access.dropLast(2) + "AA") }
        #expect(throws: Refusal.self, "another process has another key") {
            try AccessControl(policy).admit(
                HTTPServerRequest(path: "/", headers: [("Authorization", "Bearer \(next.access)")], peer: "10.0.0.9"),
                .order)
        }
        #expect(accessControl.revokeTokens(next.refresh))
        #expect(throws: Refusal.self, "revoked") { try admit(next.access) }
        let other = try #require(accessControl.issueTokens(for: principal))
        _ = try admit(other.access)
        policy.tokens = []
        accessControl.reload(policy)
        #expect(throws: Refusal.self, "the identity was removed") { try admit(other.access) }
        #expect(accessControl.refreshTokens(other.refresh) == nil)
        #expect(accessControl.issueTokens(for: Principal()) == nil)
    }
}
