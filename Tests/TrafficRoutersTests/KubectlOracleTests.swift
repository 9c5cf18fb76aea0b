import CurlHTTP
import Foundation
import JSON
import MetricModel
import RouterFixtures
import Runtime
import Synchronization
import TestSupport
import Testing
import YAML

@testable import Rollback
@testable import TrafficRouters

/// The effect of Tribune's patches according to the real kubectl. Skipped with a message if there is none.
@Suite(.enabled(if: Kubectl.program != nil, "kubectl is not installed"), .serialized)
struct KubectlOracleTests {
    private static let objects: [(path: String, fields: String, object: String)] = [
        (
            "/api/v1/namespaces/prod/services/auth", "kind: service, stable: {v: '1'}, candidate: {v: '2'}",
            #"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "auth", "namespace": "prod"}, "#
                + #""spec": {"selector": {"app": "auth", "v": "1"}, "ports": [{"port": 80}]}}"#
        ),
        (
            "/apis/gateway.networking.k8s.io/v1/namespaces/prod/httproutes/auth",
            "kind: httproute, stable: a, candidate: b",
            #"{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "#
                + #""metadata": {"name": "auth", "namespace": "prod"}, "spec": {"rules": [{"backendRefs": [{"name": "a"}, "#
                + #"{"name": "b", "weight": 0}]}, {"backendRefs": [{"name": "b", "port": 1}, {"name": "a", "weight": 7}]}]}}"#
        ),
        (
            "/apis/networking.istio.io/v1beta1/namespaces/prod/virtualservices/auth",
            "kind: virtualservice, stable: h/v1, candidate: h/v2",
            #"{"apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService", "#
                + #""metadata": {"name": "auth", "namespace": "prod"}, "spec": {"http": [{"route": [{"destination": {"host": "h", "#
                + #""subset": "v1"}, "weight": 100}, {"destination": {"host": "h", "subset": "v2"}}]}]}}"#
        ),
        (
            "/apis/networking.k8s.io/v1/namespaces/prod/ingresses/auth", "kind: ingress",
            #"{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "auth", "namespace": "prod", "#
                + #""annotations": {"nginx.ingress.kubernetes.io/canary": "true"}}, "spec": {"rules": []}}"#
        ),
    ]

    private let directory = TemporaryDirectory()

    private func router(_ server: FakeAPIServer, _ fields: String) throws -> KubernetesRouter {
        let file = directory.write("secret", to: "token")
        let text = "{server: '\(server.url)', token_file: \(file), namespace: prod, name: auth, \(fields)}"
        let route = try KubernetesRoute(
            YAML.parse(text, file: "p.yml")[0], path: "kubernetes", file: "p.yml", clusterServer: nil)
        return KubernetesRouter(route: route, timeout: .seconds(5), client: HTTPClient())
    }

    @Test("each patch has the same result as with kubectl", arguments: objects.indices)
    func patches(index: Int) throws {
        let (path, fields, text) = Self.objects[index]
        let server = try FakeAPIServer(path, JSON(parsing: text))
        defer { server.stop() }
        let router = try router(server, fields)
        for candidate in path.contains("/services/") ? [100, 0] : [10, 100, 0] {
            let before = server.state.withLock { ($0.object, $0.version, $0.patches.count) }
            try router.shift(to: try #require(TrafficSplit(candidate: candidate)), for: HAProxyFixture.operation)
            let patch = try #require(server.state.withLock { $0.patches.count > before.2 ? $0.patches.last : nil })
            // The API server shows the version; the object that is kept does not have it.
            var object = before.0
            object = object.setting(
                "metadata", (object["metadata"] ?? [:]).setting("resourceVersion", .string(String(before.1))))
            let expected = try Kubectl.patch(object, type: patch.type, patch.body, in: directory)
            let after = server.state.withLock { $0.object }
            let stamped = after.setting(
                "metadata", (after["metadata"] ?? [:]).setting("resourceVersion", .string(String(before.1))))
            #expect(expected?.sorted == stamped.sorted, "at \(candidate) %")
        }
    }

    @Test("a patch for another version of the object fails with kubectl as well")
    func staleVersion() throws {
        let (path, fields, text) = Self.objects[1]
        let server = try FakeAPIServer(path, JSON(parsing: text))
        defer { server.stop() }
        try router(server, fields).shift(to: .allCandidate, for: HAProxyFixture.operation)
        let patch = try #require(server.state.withLock { $0.patches.last })
        let other = try JSON(parsing: text)
        let stamped = other.setting("metadata", (other["metadata"] ?? [:]).setting("resourceVersion", "8"))
        let outcome = try Kubectl.patch(stamped, type: patch.type, patch.body, in: directory)
        #expect(outcome?.encoded == nil)
    }

    @Test("kubectl works with the stand-in for the API server", arguments: objects.indices)
    func standIn(index: Int) throws {
        let (path, fields, text) = Self.objects[index]
        let server = try FakeAPIServer(path, JSON(parsing: text))
        defer { server.stop() }
        // kubectl sends no token without TLS.
        server.state.withLock { $0.requiresToken = false }
        let division = KubernetesDivision(try router(server, fields).route)
        let object = server.state.withLock { $0.object }
        let isService = path.contains("/services/")
        let patch: JSON =
            isService
            ? ["spec": ["selector": ["v": "2"]]] : try division.patch(of: object, version: "7", to: .allCandidate)
        let parts = path.split(separator: "/").map(String.init)
        let kind = isService ? "services" : "\(parts[parts.count - 2]).\(parts[2]).\(parts[1])"
        let outcome = try Kubectl.run(
            [
                "--server=\(server.url)", "--namespace=prod", "patch", kind, "auth",
                "--type=\(isService ? "strategic" : "json")", "--patch=\(patch.encoded)",
            ], in: directory)
        #expect(outcome.exit == .code(0), "\(outcome.output) \(server.state.withLock { $0.log })")
        #expect(try division.split(of: server.state.withLock { $0.object }) == .allCandidate)
    }
}

/// The real kubectl.
enum Kubectl {
    static let program = ["/usr/bin/kubectl", "/usr/local/bin/kubectl"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    /// Runs it with its own home directory.
    static func run(
        _ arguments: [String], in directory: TemporaryDirectory
    ) throws -> (exit: ChildProcess.Exit, output: String) {
        let output = directory.file("kubectl-output")
        unlink(output)
        let home = ["HOME": directory.path, "KUBECONFIG": directory.file("none")]
        let child = try ChildProcess(
            [program ?? "kubectl"] + arguments, environment: home, output: .file(output), errors: .file(output))
        let exit = child.wait(milliseconds: 60_000) ?? child.stop()
        return (exit, FileText.read(output) ?? "")
    }

    /// The result of `patch` with a content type on `object`; `nil` if kubectl rejects it.
    static func patch(_ object: JSON, type: String, _ patch: JSON, in directory: TemporaryDirectory) throws -> JSON? {
        let file = directory.write(object.encoded, to: "object.json")
        let kind = type.contains("strategic") ? "strategic" : "json"
        let outcome = try run(
            ["patch", "--local", "--filename=\(file)", "--type=\(kind)", "--patch=\(patch.encoded)", "--output=json"],
            in: directory)
        // Not `nil`, which could be the JSON value.
        guard outcome.exit == .code(0) else { return Optional.none }
        return try JSON(parsing: outcome.output)
    }
}

extension JSON {
    /// The same value with the members of every object in the order of their names.
    fileprivate var sorted: JSON {
        switch self {
        case .object(let members):
            .object(members.map { Member($0.name, $0.value.sorted) }.sorted { $0.name < $1.name })
        case .array(let elements): .array(elements.map(\.sorted))
        default: self
        }
    }
}
