import Testing
import WebServer

@testable import WebCore

@Suite struct AuthorizerTests {
    private func denial(
        _ permission: Permission, _ authorizer: Authorizer = Authorizer(), peer: String = "10.0.0.9",
        headers: [(name: String, value: String)] = []
    ) -> Authorizer.Denial? {
        do throws(Authorizer.Denial) {
            try authorizer.check(HTTPServerRequest(path: "/", headers: headers, peer: peer), permission)
            return nil
        } catch {
            return error
        }
    }

    @Test func secretsAreComparedWhole() {
        #expect(Authorizer.isEqualSecret("s3cret", "s3cret"))
        for shown in ["", "s3cre", "s3cretX", "Xs3cret", "s3creT", "S3cret"] {
            #expect(
                !Authorizer.isEqualSecret(shown, "s3cret") && !Authorizer.isEqualSecret("s3cret", shown), "\(shown)")
        }
    }

    @Test func everybodyMayReadAndProbe() {
        #expect(denial(.read) == nil)
        #expect(denial(.probe) == nil)
        #expect(denial(.read, headers: [("Origin", "http://evil.example"), ("Host", "h")]) == nil)
    }

    @Test(arguments: [Permission.order, .alert])
    func ordersNeedThisMachineOrTheToken(permission: Permission) {
        for peer in ["127.0.0.1", "127.8.8.8", "::1"] { #expect(denial(permission, peer: peer) == nil, "\(peer)") }
        for peer in ["10.0.0.9", "", "::2"] { #expect(denial(permission, peer: peer) != nil, "\(peer)") }
        let authorizer = Authorizer(commandToken: "s3cret")
        #expect(denial(permission, authorizer, peer: "127.0.0.1") != nil)
        #expect(denial(permission, authorizer, headers: [("Authorization", "Bearer s3cret")]) == nil)
        #expect(denial(permission, authorizer, headers: [("Authorization", "Basic s3cret")]) != nil)
    }

    @Test func gatesNeedTheirToken() {
        #expect(denial(.gate, peer: "127.0.0.1")?.asksForCredentials == false)
        let authorizer = Authorizer(gateToken: { "g" })
        #expect(denial(.gate, authorizer)?.asksForCredentials == true)
        #expect(denial(.gate, authorizer, headers: [("Authorization", "Bearer x")])?.asksForCredentials == true)
        #expect(denial(.gate, authorizer, headers: [("Authorization", "Bearer g")]) == nil)
    }

    @Test(arguments: [Permission.write, .alert, .order, .gate, .administer])
    func pagesOfOtherSitesChangeNothing(permission: Permission) {
        let authorizer = Authorizer(commandToken: "t", gateToken: { "t" })
        let token = (name: "Authorization", value: "Bearer t")
        #expect(denial(permission, authorizer, headers: [token]) == nil)
        #expect(denial(permission, authorizer, headers: [token, ("Host", "h:1"), ("Origin", "http://h:1")]) == nil)
        for origin in ["http://evil.example", "null", "http://h:2", "ftp://h:1"] {
            let headers = [token, (name: "Host", value: "h:1"), (name: "Origin", value: origin)]
            #expect(denial(permission, authorizer, headers: headers) != nil, "\(origin)")
        }
    }
}
