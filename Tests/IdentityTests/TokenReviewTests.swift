import JSON
import Runtime
import Synchronization
import TestSupport
import Testing
import WebServer

@testable import Identity

/// Tokens of service accounts that a Kubernetes API server reviews; the server is a stand-in that accepts only what the
/// reference of authentication.k8s.io/v1 describes.
@Suite(.enabled(if: TokenMaker.isThere)) struct TokenReviewTests {
    private final class Server: Sendable {
        let loopback: LoopbackServer
        let questions = Questions()

        init(status: String = "201 Created", _ answer: String) {
            let questions = questions
            loopback = LoopbackServer { request in
                guard request.line.hasPrefix("POST /apis/authentication.k8s.io/v1/tokenreviews "),
                    request.headers["authorization"] == "Bearer own",
                    request.headers["content-type"] == "application/json",
                    case .some(let json) = try? JSON(parsing: request.body), json["kind"] == "TokenReview",
                    json["apiVersion"] == "authentication.k8s.io/v1", json["spec"]?["audiences"] == ["tribune"],
                    let token = json["spec"]?["token"]?.text
                else { return .ok("{\"kind\":\"Status\"}", type: "application/json", status: "400 Bad Request") }
                questions.tokens.withLock { $0.append(token) }
                return .ok(
                    "{\"kind\":\"TokenReview\",\"apiVersion\":\"authentication.k8s.io/v1\",\"status\":\(answer)}",
                    type: "application/json", status: status)
            }
        }
    }

    private static let account = """
        {"authenticated": true, "audiences": ["tribune"], "user": {"username": "system:serviceaccount:shop:deployer",
        "uid": "1", "groups": ["system:serviceaccounts", "system:serviceaccounts:shop"]}}
        """

    /// The outcome of a request with a rightly signed token, and how often the API server was asked for two of them.
    private func admit(_ server: Server, token name: String = "good EdDSA") throws -> (Result<Principal, Refusal>, Int)
    {
        let maker = try TokenMaker(now: SystemClock.wallMilliseconds() / 1000)
        let directory = TemporaryDirectory()
        var issuer = TokenIssuer("https://idp.example")
        issuer.audiences = ["tribune"]
        issuer.roles = ["system:serviceaccounts:shop": [.service]]
        issuer.keyFile = directory.write(maker.keys, to: "jwks.json")
        issuer.review = .init(url: server.loopback.url, tokenFile: directory.write("own\n", to: "own"))
        var policy = AccessPolicy()
        policy.issuers = [issuer]
        policy.everybody = []
        let accessControl = AccessControl(policy)
        let token = try #require(maker.tokens.first { $0.name == name }?.token)
        let request = HTTPServerRequest(
            path: "/", headers: [("Authorization", "Bearer \(token)")], peer: "10.0.0.1")
        let outcome = Result { () throws(Refusal) in try accessControl.admit(request, .write) }
        _ = try? accessControl.admit(request, .write)
        return (outcome, server.questions.tokens.withLock { $0.count })
    }

    @Test func aConfirmedAccountCountsWithItsGroups() throws {
        let server = Server(Self.account)
        defer { server.loopback.stop() }
        let (outcome, asked) = try admit(server)
        let principal = try outcome.get()
        #expect(principal.name == "system:serviceaccount:shop:deployer" && principal.roles == [.service])
        #expect(asked == 1, "the answer is remembered for a while")
    }

    @Test(arguments: [
        #"{"authenticated": false, "error": "token has been invalidated"}"#, "{}",
        #"{"authenticated": true, "audiences": ["other"], "user": {"username": "a"}}"#,
        #"{"authenticated": true, "user": {"username": "a"}}"#,
        #"{"authenticated": true, "audiences": ["tribune"], "user": {}}"#,
        #"{"authenticated": "true", "audiences": ["tribune"], "user": {"username": "a"}}"#,
    ]) func whatIsNotConfirmedDoesNotCount(answer: String) throws {
        let server = Server(answer)
        defer { server.loopback.stop() }
        let (outcome, _) = try admit(server)
        #expect(throws: Refusal.self) { try outcome.get() }
    }

    @Test func anAPIServerThatRefusesToReviewAdmitsNobody() throws {
        let server = Server(status: "403 Forbidden", Self.account)
        defer { server.loopback.stop() }
        let (outcome, _) = try admit(server)
        #expect(throws: Refusal.self) { try outcome.get() }
    }

    @Test func tokensThatNobodyHasSignedCostTheAPIServerNothing() throws {
        let server = Server(Self.account)
        defer { server.loopback.stop() }
        let (outcome, asked) = try admit(server, token: "another key with a known kid")
        #expect(throws: Refusal.self) { try outcome.get() }
        #expect(asked == 0)
    }
}

private final class Questions: Sendable {
    let tokens = Mutex<[String]>([])
}
