import Foundation
import Runtime
import TestSupport
import Testing

/// The manifests in `packaging/kubernetes`: rendered as `kubectl apply -k` renders them, and validated strictly.
@Suite struct ManifestTests {
    private static let folder = "\(ReferenceTests.root)/packaging/kubernetes"
    private static let overlays = ["single", "ha", "shards", "acgs"]

    /// The schemas of Kubernetes, which ./test fetches from PyPI.
    private static let schemas =
        "\(ReferenceTests.root)/.build/tools/kubernetes-validate/kubernetes_validate/kubernetes-json-schema"

    static var canRender: Bool {
        let isThere = (try? TribuneProgram.run(program: ["kubectl", "version", "--client"]))?.exit == .code(0)
        if !isThere { print("skipped: kubectl is not installed") }
        return isThere
    }

    static var canValidate: Bool {
        guard FileManager.default.fileExists(atPath: schemas) else {
            print("skipped: \(schemas) is missing; ./test fetches it where PyPI can be reached")
            return false
        }
        return canRender
    }

    private func rendered(_ overlay: String) throws -> String {
        let result = try TribuneProgram.run(program: ["kubectl", "kustomize", "\(Self.folder)/overlays/\(overlay)"])
        #expect(result.exit == .code(0), "\(overlay): \(result.errors)")
        return result.output
    }

    private func check(_ files: [String]) throws -> TribuneProgram.Result {
        try TribuneProgram.run(
            program: ["/usr/bin/python3", "\(Self.folder)/check.py", Self.schemas] + files, seconds: 180)
    }

    @Test(.enabled(if: ManifestTests.canValidate)) func everyOverlayIsValidAndKeepsThePolicies() throws {
        let directory = TemporaryDirectory()
        let files = try Self.overlays.map { directory.write(try rendered($0), to: "\($0).yaml") }
        let result = try check(files)
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        for overlay in Self.overlays { #expect(result.output.contains("\(overlay).yaml: ")) }
    }

    @Test(.enabled(if: ManifestTests.canValidate)) func whatKubernetesOrThePoliciesRefuseIsFound() throws {
        let directory = TemporaryDirectory()
        let good = try rendered("single")
        let changes = [
            ("containerPort:", "containerPrt:", "containerPrt"),
            ("replicas: 1", "replicas: one", "spec.replicas"),
            ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "must be read-only"),
            ("memory: 4Gi", "memry: 4Gi", "no limit of memory"),
            ("serviceName: tribune", "serviceName: other", "names the Service other"),
            ("  - patch", "  - delete", "which nothing uses"),
            ("namespace: tribune\nspec:\n  egress", "namespace: other\nspec:\n  egress", "the namespaces"),
            (
                "podSelector:\n    matchLabels:\n      app", "podSelector:\n    matchLabels:\n      ap",
                "tribune selects no pod"
            ),
            ("  endpoints:\n", "  endpointz: []\n  endpoints:\n", "spec.endpointz does not exist"),
        ]
        let files = changes.enumerated().map { index, change in
            #expect(good.contains(change.0), "\(change.0)")
            return directory.write(good.replacing(change.0, with: change.1), to: "\(index).yaml")
        }
        let result = try check(files)
        #expect(result.exit == .code(1))
        let lines = result.output.split(separator: "\n")
        for (index, change) in changes.enumerated() {
            #expect(
                lines.contains { $0.contains("/\(index).yaml: ") && $0.contains(change.2) }, "\(change.1): \(result)")
        }
    }

    /// The overlay that the page about installing shows, with every component in place of those that it names.
    @Test(.enabled(if: ManifestTests.canValidate)) func everyComponentCanBeAdded() throws {
        let page = try #require(FileText.read("\(ReferenceTests.root)/docs/operations/install.md"))
        let shown = String(try #require(page.firstMatch(of: /```yaml\n(apiVersion: kustomize(?s).*?)```/)?.1))
        let components = try FileManager.default.contentsOfDirectory(atPath: "\(Self.folder)/components").sorted()
        let named = shown.matches(of: /\.\.\/\.\.\/components\/([a-z]+)/).map { String($0.1) }
        #expect(!named.isEmpty && Set(named).isSubset(of: components))
        for component in components { #expect(page.contains("`\(component)`"), "\(component)") }
        // The overlays have it already.
        let added = components.filter { $0 != "monitoring" }.map { "../../components/\($0)" }
        let directory = TemporaryDirectory()
        // Kustomize takes relative paths only.
        let folder = "\(Self.folder)/overlays/own"
        let up = String(repeating: "../", count: directory.path.split(separator: "/").count)
        let overlay = shown.replacing(
            /components: .*/, with: "components: [\(added.joined(separator: ", "))]")
        directory.write(
            overlay.replacing(/\.\.[.\/a-z-]*/) { path in
                up + String(URL(filePath: "\(folder)/\(path.output)").standardized.path.dropFirst())
            }, to: "kustomization.yaml")
        let rendered = try TribuneProgram.run(program: ["kubectl", "kustomize", directory.path])
        #expect(rendered.exit == .code(0), "\(rendered.errors)")
        let result = try check([directory.write(rendered.output, to: "rendered.yaml")])
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        for port in [4317, 4318, 514, 601, 6514, 587] { #expect(rendered.output.contains("port: \(port)\n")) }
    }

    @Test func copiesOfRulesAreUpToDate() throws {
        let result = try TribuneProgram.run(program: ["/usr/bin/python3", "\(Self.folder)/generate.py", "--check"])
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
    }

    /// The files at `/etc/tribune` in a pod: the base's files, replaced by the overlay's.
    @Test(arguments: ["single", "ha", "shards/shard-1", "acgs"]) func configurationsInManifestsAreValid(
        overlay: String
    ) throws {
        let directory = TemporaryDirectory()
        for source in ["base", "overlays/\(overlay)"] {
            for name in ["tribune.yml", "prometheus.yml", "rules", "plans"] {
                let path = "\(Self.folder)/\(source)/\(name)"
                guard FileManager.default.fileExists(atPath: path) else { continue }
                _ = try TribuneProgram.run(program: ["rm", "-rf", directory.file(name)])
                let copied = try TribuneProgram.run(program: ["cp", "-R", path, directory.file(name)])
                #expect(copied.exit == .code(0))
            }
        }
        directory.write("host=/nowhere", to: "connection")
        let text = try #require(FileText.read(directory.file("tribune.yml")))
        directory.write(
            text.replacing("/run/secrets/tribune/connection", with: directory.file("connection")), to: "tribune.yml")
        // As in a pod, where the API server's address comes from the environment.
        let result = try TribuneProgram.run(program: [
            "env", "KUBERNETES_SERVICE_HOST=10.0.0.1", "KUBERNETES_SERVICE_PORT=443", TribuneProgram.path, "check",
            "config", directory.file("tribune.yml"),
        ])
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        #expect(!result.output.contains(" 0 plans"))
    }
}
