import Identity
import Instrumentation
import JSON
import Testing
import WebServer

@testable import WebCore

@Suite struct EndpointTableTests {
    private static func endpoint(
        _ methods: [Endpoint.Method], _ path: PathTemplate, permission: Permission = .read,
        body: Endpoint.RequestBody = .none, errors: Endpoint.ErrorFormat = .text
    ) -> Endpoint {
        .response(
            methods, path, "Does something.", permission: permission,
            parameters: path.parameterNames.map { .path($0, .string, "A name.") }, body: body, response: .text,
            errors: errors
        ) { .text("\(path) \($0.pathParameters)") }
    }

    private let dispatcher = RequestDispatcher(
        EndpointTable([
            endpoint([.get], "/a"), endpoint([.post], "/a", body: .json, errors: .envelope),
            endpoint([.get], "/a/{name}"), endpoint([.delete], "/a/{name}", permission: .order, errors: .jsonString),
            endpoint([.get, .post], "/api/v1/{x}/b/{y}"), endpoint([.get], "/plans/{plan}/{verb}"),
            endpoint([.get], "/plans/{plan}/tasks"), endpoint([.get], "/plans/all/{verb}"),
        ]), .init(), registry: Registry())

    private func answer(_ method: String, _ path: String, body: Int = 0) -> (status: Int, text: String) {
        let request = HTTPServerRequest(
            method: method, path: path, body: [UInt8](repeating: 0x20, count: body), peer: "10.0.0.1")
        let response = dispatcher.response(to: request)
        return (response.status, String(decoding: response.body, as: UTF8.self))
    }

    @Test func pathsLeadToTheirEndpoints() {
        #expect(answer("GET", "/a") == (200, "/a []"))
        #expect(answer("HEAD", "/a") == (200, "/a []"))
        #expect(answer("POST", "/a") == (200, "/a []"))
        #expect(answer("GET", "/a/x") == (200, #"/a/{name} ["x"]"#))
        #expect(answer("POST", "/api/v1/1/b/2") == (200, #"/api/v1/{x}/b/{y} ["1", "2"]"#))
        for path in ["", "/", "/b", "/a/", "/a/x/y", "a", "/api/v1//b/2", "/api/v1/1/c/2"] {
            #expect(answer("GET", path).status == 404, "\(path)")
        }
    }

    @Test func namesArePreferredToParameters() {
        #expect(answer("GET", "/plans/p/start") == (200, #"/plans/{plan}/{verb} ["p", "start"]"#))
        #expect(answer("GET", "/plans/p/tasks") == (200, #"/plans/{plan}/tasks ["p"]"#))
        #expect(answer("GET", "/plans/all/tasks") == (200, #"/plans/all/{verb} ["tasks"]"#))
    }

    @Test func namesArePreferredWhateverTheOrder() {
        let paths: [PathTemplate] = [
            "/x/{a}", "/x/{a}/{b}", "/x/{a}/tasks", "/x/{a}/b/c", "/x/{a}/b/{c}", "/y/{a}/end", "/y/{a}",
            "/z/{a}/{b}/d", "/z/{a}/b/d",
        ]
        for _ in 0..<200 {
            let table = EndpointTable(paths.shuffled().map { Self.endpoint([.get], $0) })
            #expect(table.find("/x/1/tasks")?.resource.path == "/x/{a}/tasks")
            #expect(table.find("/x/1/b/c")?.resource.path == "/x/{a}/b/c")
            #expect(table.find("/z/1/b/d")?.resource.path == "/z/{a}/b/d")
        }
    }

    @Test func otherMethodsAreRefusedWithThoseAllowed() {
        let response = dispatcher.response(to: HTTPServerRequest(method: "PUT", path: "/a"))
        #expect(response.status == 405)
        #expect(response.headers.first { $0.name == "Allow" }?.value == "GET, POST, OPTIONS")
        #expect(answer("OPTIONS", "/api/v1/1/b/2").status == 204)
        #expect(answer("OPTIONS", "/a").status == 405)
    }

    @Test func errorsHaveTheFormOfTheEndpoint() throws {
        let denied = answer("DELETE", "/a/x")
        #expect(denied.status == 401)
        #expect(try JSON(parsing: Array(denied.text.utf8)).text?.contains("needs credentials") == true)
        let long = answer("POST", "/a", body: (16 << 20) + 1)
        #expect(long.status == 413)
        #expect(try JSON(parsing: Array(long.text.utf8))["errorType"] == "body_too_long")
        #expect(answer("POST", "/a", body: 16 << 20).status == 200)
        #expect(answer("GET", "/a", body: (64 << 10) + 1) == (413, "the request body is longer than 65536 bytes\n"))
    }

    @Test func whoIsAnsweredNoIsNoAttacker() {
        let no = Endpoint.response([.get], "/asked", "Says no.", response: .text) { _ in .text("no", status: 409) }
        func statuses(_ endpoint: Endpoint) -> Set<Int> {
            let dispatcher = RequestDispatcher(EndpointTable([endpoint]), .init(), registry: Registry())
            // New addresses in each request are new evidence of errors.
            return Set(
                (0..<150).map { number in
                    dispatcher.response(
                        to: HTTPServerRequest(path: "/asked", query: [("n", "\(number)")], peer: "10.0.0.1")
                    ).status
                })
        }
        #expect(statuses(no.refusing(with: 409)) == [409])
        #expect(statuses(no.refusing(with: 403)).contains(429))
    }

    @Test func theDocumentDescribesEveryEndpointAndItself() throws {
        let served = OpenAPIDocument.serving(
            [Self.endpoint([.get], "/a/{name}"), Self.endpoint([.delete], "/a/{name}", permission: .order)],
            .init(title: "T", version: "1", description: "D"))
        let table = RequestDispatcher(EndpointTable(served), .init(), registry: Registry())
        let response = table.response(to: HTTPServerRequest(path: "/api/v1/openapi.json"))
        let document = try JSON(parsing: response.body)
        #expect(document["openapi"] == "3.1.0")
        #expect(document["paths"]?.members?.map(\.name) == ["/a/{name}", "/api/v1/openapi.json"])
        let resource = document["paths"]?["/a/{name}"]
        #expect(resource?.members?.map(\.name) == ["get", "delete"])
        #expect(resource?["get"]?["operationId"] == "getAName")
        #expect(resource?["delete"]?["x-permission"] == "order")
        #expect(resource?["get"]?["parameters"]?.elements?.first?["in"] == "path")
    }
}

@Suite struct ExternalURLTests {
    @Test(arguments: [
        ("http://h", "http://h", ""), ("http://h/", "http://h", ""), ("https://h:9/a", "https://h:9/a", "/a"),
        ("http://h//a/b//", "http://h/a/b", "/a/b"), ("http://[::1]:9090/", "http://[::1]:9090", ""),
    ])
    func slashesAtTheEndsOfThePathDoNotCount(text: String, expected: String, path: String) throws {
        let url = try #require(ExternalURL(text))
        #expect(url.text == expected)
        #expect(url.path == path)
        #expect(WebSettings(externalURL: url).routePrefix == path)
    }

    @Test(arguments: ["", "h:9090", "ftp://h", "http://", "http:///a", "http://h?x=1", "\"http://h\"", "http://h/a b"])
    func otherTextsAreRefused(text: String) {
        #expect(ExternalURL(text) == nil)
    }

    @Test func aRoutePrefixMayDifferFromThePathOfTheURL() {
        let url = ExternalURL("http://h/a")!
        #expect(WebSettings(externalURL: url, routePrefix: "/").routePrefix == "")
        #expect(WebSettings(externalURL: url, routePrefix: "b/c/").routePrefix == "/b/c")
    }
}
