import CurlHTTP
import JSON
import MetricModel
import RouterFixtures
import Synchronization
import TestSupport
import Testing
import YAML

@testable import Rollback
@testable import TrafficRouters

struct KubernetesRouterTests {
    private static let service = "/api/v1/namespaces/prod/services/auth"
    private static let httpRoute = "/apis/gateway.networking.k8s.io/v1/namespaces/prod/httproutes/auth"
    private static let virtualService = "/apis/networking.istio.io/v1beta1/namespaces/prod/virtualservices/auth"
    private static let ingress = "/apis/networking.k8s.io/v1/namespaces/prod/ingresses/auth"
    private static let refs = #"{"spec": {"rules": [{"backendRefs": [{"name": "a"}, {"name": "b", "weight": 0}]}]}}"#
    private static let json = "application/json-patch+json"
    private let directory = TemporaryDirectory()

    private func router(_ server: FakeAPIServer, _ fields: String, token: String = "secret\n") throws
        -> KubernetesRouter
    {
        let file = directory.write(token, to: "token")
        let text = "{server: '\(server.url)/', token_file: \(file), namespace: prod, name: auth, \(fields)}"
        let route = try KubernetesRoute(
            YAML.parse(text, file: "p.yml")[0], path: "kubernetes", file: "p.yml", clusterServer: nil)
        return KubernetesRouter(route: route, timeout: .seconds(5), client: HTTPClient())
    }

    private func shift(_ router: KubernetesRouter, to candidate: Int) throws {
        try router.shift(to: try #require(TrafficSplit(candidate: candidate)), for: HAProxyFixture.operation)
    }

    @Test("weights of every kind are written, including 0, and read back")
    func weights() throws {
        let cases = [
            (Self.httpRoute, "kind: httproute, stable: a, candidate: b", Self.refs),
            (
                Self.virtualService, "kind: virtualservice, stable: h/v1, candidate: h/v2",
                #"{"spec": {"http": [{"route": [{"destination": {"host": "h", "subset": "v1"}, "weight": 100}, {"destination": {"host": "h", "subset": "v2"}}]}]}}"#
            ),
            (
                Self.ingress, "kind: ingress",
                #"{"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary": "true"}}}"#
            ),
        ]
        for (path, fields, object) in cases {
            let server = try FakeAPIServer(path, JSON(parsing: object))
            defer { server.stop() }
            let router = try router(server, fields)
            #expect(try router.read().split == .allStable)
            for candidate in [10, 100, 0] {
                try shift(router, to: candidate)
                let seen = try router.read()
                #expect(seen.split?.candidate == candidate)
                #expect(seen.isCandidateIsolated == (candidate == 0))
            }
            #expect(server.state.withLock { $0.log }.filter { $0 == "PATCH \(Self.json) 200" }.count == 3)
            if path == Self.httpRoute {
                #expect(
                    server.state.withLock { $0.object["spec"]?.encoded }
                        == #"{"rules":[{"backendRefs":[{"name":"a","weight":100},{"name":"b","weight":0}]}]}"#)
            }
        }
    }

    @Test(
        "a process that has lost its lease does not write over what its successor wrote",
        arguments: [
            (Self.httpRoute, "kind: httproute, stable: a, candidate: b", Self.refs),
            (
                Self.service, "kind: service, stable: {v: '1'}, candidate: {v: '2'}",
                #"{"spec": {"selector": {"v": "1"}}}"#
            ),
        ])
    func fenced(path: String, fields: String, object: String) throws {
        let server = try FakeAPIServer(path, JSON(parsing: object))
        defer { server.stop() }
        var router = try router(server, fields)
        router.fence = Fence(isShared: true) { _ in true }
        var operation = HAProxyFixture.operation
        operation.epoch = 8
        try router.shift(to: .allCandidate, for: operation)
        #expect(
            server.state.withLock { $0.object["metadata"]?["annotations"]?["tribune/epoch"]?.text } == "8")
        operation.epoch = 7
        let error = #expect(throws: RouterError.self) { try router.shift(to: .allStable, for: operation) }
        #expect(error?.description.contains("written under epoch 8") == true, "\(error?.description ?? "")")
        #expect(try router.read().split == .allCandidate)
        // It read before its successor wrote: what it read is not what is there any more.
        operation.epoch = 9
        router.fence = Fence(isShared: true) { _ in
            server.state.withLock { state in
                state.object = state.object.setting("metadata", ["annotations": ["tribune/epoch": "10"]])
                state.version += 1
            }
            return true
        }
        #expect(throws: RouterError.self) { try router.shift(to: .allStable, for: operation) }
        #expect(try router.read().split == .allCandidate)
    }

    @Test("the selector of a Service selects one version and keeps its other labels")
    func selector() throws {
        let server = try FakeAPIServer(
            Self.service, JSON(parsing: #"{"spec": {"selector": {"app": "auth", "v": "1"}}}"#))
        defer { server.stop() }
        let router = try router(server, "kind: service, stable: {v: '1'}, candidate: {v: '2'}")
        try shift(router, to: 100)
        #expect(server.state.withLock { $0.object["spec"]?.encoded } == #"{"selector":{"app":"auth","v":"2"}}"#)
        #expect(try router.read().split == .allCandidate)
        try shift(router, to: 0)
        #expect(try router.read().split == .allStable)
        #expect(
            throws: RouterError("the selector of a Service can only select one version, not 90/10")
        ) { try shift(router, to: 10) }
    }

    @Test("a shift reads again after a conflicting write, but not forever")
    func conflicts() throws {
        let server = try FakeAPIServer(Self.httpRoute, JSON(parsing: Self.refs))
        defer { server.stop() }
        let router = try router(server, "kind: httproute, stable: a, candidate: b")
        server.state.withLock { $0.rivals = 4 }
        try shift(router, to: 50)
        #expect(try router.read().split?.candidate == 50)
        server.state.withLock { $0.rivals = 5 }
        #expect(
            throws: RouterError("\(Self.httpRoute) was changed by others 5 times during the shift")
        ) { try shift(router, to: 0) }
    }

    @Test(
        "what the API server refuses is an error with its words", arguments: [403, 404, 415, 429, 500, 503])
    func refusals(status: Int) throws {
        let server = try FakeAPIServer(Self.httpRoute, JSON(parsing: Self.refs))
        defer { server.stop() }
        let router = try router(server, "kind: httproute, stable: a, candidate: b")
        server.state.withLock { $0.failures = [status] }
        let error = #expect(throws: RouterError.self) { try shift(router, to: 0) }
        let text = try #require(error?.description)
        #expect(text.hasPrefix("PATCH \(Self.httpRoute) answered \(status)") && text.hasSuffix(": told to fail"))
        #expect(server.state.withLock { $0.log.count } == 2)
    }

    @Test("an object that is refused twice at one version is not tried again")
    func invalid() throws {
        let server = try FakeAPIServer(Self.httpRoute, JSON(parsing: Self.refs))
        defer { server.stop() }
        let router = try router(server, "kind: httproute, stable: a, candidate: b")
        server.state.withLock { $0.failures = [422, 422, 422] }
        #expect(throws: RouterError("PATCH \(Self.httpRoute) answered 422: told to fail")) { try shift(router, to: 0) }
        #expect(server.state.withLock { $0.failures.count } == 1)
    }

    @Test("a wrong token is reported")
    func token() throws {
        let server = try FakeAPIServer(Self.httpRoute, JSON(parsing: Self.refs))
        defer { server.stop() }
        let router = try router(server, "kind: httproute, stable: a, candidate: b", token: "other")
        #expect(
            throws: RouterError(
                "GET \(Self.httpRoute) answered 401 (the token is missing, wrong or expired): Unauthorized")
        ) { try router.read() }
    }

    @Test("an API server that does not respond is an error within the timeout")
    func silence() throws {
        let server = LoopbackServer { _ in .hang }
        defer { server.stop() }
        let route = KubernetesRoute(
            server: "http://127.0.0.1:\(server.port)", namespace: "prod", name: "auth", object: .ingress)
        let router = KubernetesRouter(route: route, timeout: .milliseconds(100), client: HTTPClient())
        let error = #expect(throws: RouterError.self) { try shift(router, to: 0) }
        #expect(error?.description.hasPrefix("GET \(Self.ingress): ") == true)
    }

    @Test("rules that disagree have no weights, and an object without both versions is an error")
    func disagreement() throws {
        let text =
            #"{"spec": {"rules": [{"backendRefs": [{"name": "a"}, {"name": "b"}]}, {"backendRefs": [{"name": "a"}, {"name": "b", "weight": 0}]}]}}"#
        let server = try FakeAPIServer(Self.httpRoute, JSON(parsing: text))
        defer { server.stop() }
        #expect(try router(server, "kind: httproute, stable: a, candidate: b").read().split == nil)
        #expect(throws: RouterError("no rule of auth contains both versions")) {
            try router(server, "kind: httproute, stable: a, candidate: c").read()
        }
    }

    @Test(
        "an HTTPRoute is effective when all its controllers have accepted its present generation, other objects never")
    func grades() throws {
        func parent(_ generation: Int, _ status: String = "True") -> String {
            #"{"conditions": [{"type": "Accepted", "status": "\#(status)", "observedGeneration": \#(generation)}]}"#
        }
        for (parents, grade) in [
            ([], ReadingGrade.stored), ([parent(4)], .effective), ([parent(3)], .stored),
            ([parent(4), parent(4)], .effective), ([parent(4), parent(3)], .stored), ([parent(4, "False")], .stored),
        ] {
            let text =
                #"{"metadata": {"generation": 4}, "spec": {"rules": [{"backendRefs": [{"name": "a"}, {"name": "b"}]}]}, "#
                + #""status": {"parents": [\#(parents.joined(separator: ", "))]}}"#
            let server = try FakeAPIServer(Self.httpRoute, JSON(parsing: text))
            defer { server.stop() }
            #expect(try router(server, "kind: httproute, stable: a, candidate: b").read().grade == grade, "\(parents)")
        }
        let ingress = #"{"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary": "true"}}}"#
        let server = try FakeAPIServer(Self.ingress, JSON(parsing: ingress))
        defer { server.stop() }
        #expect(try router(server, "kind: ingress").read().grade == .stored)
    }

    @Test(
        "faults of a route tell line and field",
        arguments: [
            ("kind: pod", "p.yml:1:67: kubernetes.kind: expected service, httproute, virtualservice or ingress"),
            (
                "kind: httproute, stable: a, candidate: a",
                "p.yml:1:100: kubernetes.candidate: stable and candidate cannot be the same"
            ),
            (
                "kind: service, stable: {v: a}, candidate: {w: a}",
                "p.yml:1:103: kubernetes.candidate: stable and candidate must give the same labels different values"
            ),
        ])
    func faults(fields: String, message: String) throws {
        let node = try YAML.parse(
            "{server: 'http://127.0.0.1:1', namespace: prod, name: auth, \(fields)}", file: "p.yml")[0]
        let error = #expect(throws: YAMLError.self) {
            try KubernetesRoute(node, path: "kubernetes", file: "p.yml", clusterServer: nil)
        }
        #expect(error?.description == message)
    }
}
