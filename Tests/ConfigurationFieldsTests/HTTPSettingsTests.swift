import ConfigurationFields
import CurlHTTP
import Glibc
import Runtime
import Synchronization
import TestSupport
import Testing
import YAML

@Suite struct HTTPSettingsTests {
    private func settings(_ text: String) throws -> HTTPSettings {
        var fields = try FieldReader(try #require(try YAML.parse(text, file: "f").first), path: "", file: "f")
        let settings = try HTTPSettings(&fields, directory: "/etc/x")
        try fields.finish()
        return settings
    }

    private func request(_ url: String, _ text: String) throws -> HTTPRequest {
        var request = HTTPRequest(url: url, timeoutMilliseconds: 5000)
        try settings(text).apply(to: &request)
        return request
    }

    @Test(arguments: [
        ("oauth2: {client_secret: s, token_url: u}", "oauth2 client_id must be configured"),
        ("oauth2: {client_id: i, client_secret: s}", "oauth2 token_url must be configured"),
        (
            "{oauth2: {client_id: i, client_secret: s, token_url: u}, basic_auth: {username: u}}",
            "at most one of basic_auth, oauth2 must be configured"
        ),
        (
            "{proxy_url: 'http://p', proxy_from_environment: true}",
            "if proxy_from_environment is configured, proxy_url must not be configured"
        ),
        ("no_proxy: a", "if no_proxy is configured, proxy_url must also be configured"),
        ("sigv4: {}", "unknown field \"sigv4\""),
    ])
    func faultsAreNamed(text: String, reason: String) {
        let error = #expect(throws: YAMLError.self) { try settings(text) }
        #expect(error?.message == reason)
    }

    @Test func secretsAreNotPrinted() throws {
        let settings = try settings("basic_auth: {username: u, password: hunter2}")
        #expect(!String(describing: settings).contains("hunter2"))
    }

    /// A token endpoint that accepts the client's name and secret in the Authorization header, or only in the body.
    private func tokenEndpoint(inBody: Bool, _ count: Counting) throws -> LoopbackServer {
        LoopbackServer { request in
            count.add()
            let body = String(decoding: request.body, as: UTF8.self)
            let basic = request.headers["authorization"] == "Basic aWQ6czNjcmV0"
            let isRight =
                request.line.hasPrefix("POST /token ")
                && request.headers["content-type"] == "application/x-www-form-urlencoded"
                && body.contains("grant_type=client_credentials") && body.contains("scope=a+b")
                && body.contains("audience=x%26y")
                && (inBody ? body.contains("client_id=id") && body.contains("client_secret=s3cret") : basic)
            return isRight
                ? .ok(#"{"access_token":"t0ken","token_type":"Bearer","expires_in":3600}"#, type: "application/json")
                : .ok(#"{"error":"invalid_client"}"#, status: "401 Unauthorized")
        }
    }

    private final class Counting: Sendable {
        private let value = Mutex(0)
        var count: Int { value.withLock { $0 } }
        func add() { value.withLock { $0 += 1 } }
    }

    @Test(arguments: [false, true])
    func anOAuth2TokenIsFetchedOnceAndSent(inBody: Bool) throws {
        let count = Counting()
        let server = try tokenEndpoint(inBody: inBody, count)
        defer { server.stop() }
        let text = """
            oauth2: {client_id: id, client_secret: s3cret, token_url: 'http://127.0.0.1:\(server.port)/token',
              scopes: [a, b], endpoint_params: {audience: x&y}}
            """
        for _ in 1...3 {
            let headers = try request("http://127.0.0.1:1/", text).headers
            #expect(headers.map { "\($0.name): \($0.value)" } == ["Authorization: Bearer t0ken"])
        }
        #expect(count.count == (inBody ? 2 : 1))
    }

    @Test func whoMayNotWaitGetsTheTokenWithALaterRequest() throws {
        let count = Counting()
        let server = try tokenEndpoint(inBody: false, count)
        defer { server.stop() }
        let settings = try settings(
            """
            oauth2: {client_id: id, client_secret: s3cret, token_url: 'http://127.0.0.1:\(server.port)/token',
              scopes: [a, b], endpoint_params: {audience: x&y}}
            """)
        var first = HTTPRequest(url: "http://127.0.0.1:1/")
        #expect(throws: HTTPFailure.self) { try settings.apply(to: &first, waits: false) }
        #expect(
            Loopback.eventually {
                var request = HTTPRequest(url: "http://127.0.0.1:1/")
                return (try? settings.apply(to: &request, waits: false)) != nil && request.headers.count == 1
            })
        #expect(count.count == 1)
    }

    @Test func credentialsStayWithTheirHostWhenARedirectLeadsAway() throws {
        let seen = Mutex<[[String: String]]>([])
        let other = LoopbackServer { request in
            seen.withLock { $0.append(request.headers) }
            return .ok("there")
        }
        defer { other.stop() }
        let first = LoopbackServer { request in
            if request.target == "/here" { return .ok("x", status: "302 Found", headers: "Location: /same\r\n") }
            seen.withLock { $0.append(request.headers) }
            return .ok("x", status: "302 Found", headers: "Location: http://127.0.0.1:\(other.port)/\r\n")
        }
        defer { first.stop() }
        let text = "{basic_auth: {username: u, password: p}, http_headers: {X-Key: {secrets: [k]}}}"
        let response = try HTTPClient().send(try request("http://127.0.0.1:\(first.port)/here", text))
        #expect(String(decoding: response.body, as: UTF8.self) == "there")
        let headers = seen.withLock { $0 }
        #expect(headers.map { $0["x-key"] } == ["k", nil])
        #expect(headers.map { $0["authorization"] } == ["Basic dTpw", nil])
    }

    @Test func redirectsAreHandedBackWhereTheyAreNotFollowed() throws {
        let server = LoopbackServer { _ in .ok("x", status: "302 Found", headers: "Location: /away\r\n") }
        defer { server.stop() }
        let response = try HTTPClient().send(
            try request("http://127.0.0.1:\(server.port)/", "follow_redirects: false"))
        #expect(response.status == 302)
    }

    @Test func theProxyIsUsedButForItsExceptions() throws {
        let proxy = LoopbackServer { .ok("proxied \($0.target)") }
        defer { proxy.stop() }
        let direct = LoopbackServer { _ in .ok("direct") }
        defer { direct.stop() }
        let url = "http://127.0.0.1:\(direct.port)/x"
        func body(_ text: String) throws -> String {
            String(decoding: try HTTPClient().send(try request(url, text)).body, as: UTF8.self)
        }
        #expect(try body("proxy_url: 'http://127.0.0.1:\(proxy.port)'") == "proxied \(url)")
        #expect(try body("{proxy_url: 'http://127.0.0.1:\(proxy.port)', no_proxy: 'a.example,127.0.0.1'}") == "direct")
    }

    @Test func secretsInFilesAreReadForEachRequest() throws {
        let directory = TemporaryDirectory()
        let path = "\(directory.path)/secret"
        let settings = try settings("authorization: {credentials_file: '\(path)'}")
        for secret in ["one", "two"] {
            #expect(FileText.write(secret + "\n", to: path))
            var request = HTTPRequest(url: "http://127.0.0.1:1/")
            try settings.apply(to: &request)
            #expect(request.headers.first?.value == "Bearer \(secret)")
        }
        #expect(!settings.isConstant)
    }
}
