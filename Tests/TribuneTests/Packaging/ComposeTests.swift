import Foundation
import Runtime
import TestSupport
import Testing

/// The stack in `packaging/compose`. There is no container engine in tests: each part's configuration is checked by the
/// part, and the file by podman-compose. `scripts/compose-test.sh` runs it.
@Suite struct ComposeTests {
    private static let folder = "\(ReferenceTests.root)/packaging/compose"

    /// The names or elements below `field` in the YAML file at `path`, as Python's parser reads it.
    private func fields(of path: String, _ field: String) throws -> [Substring] {
        let script = "import sys, yaml; [print(item) for item in yaml.safe_load(open(sys.argv[1]))[sys.argv[2]]]"
        let result = try TribuneProgram.run(program: ["/usr/bin/python3", "-c", script, path, field])
        #expect(result.exit == .code(0), "\(result.errors)")
        return result.output.split(separator: "\n")
    }

    @Test func madeFilesAreUpToDate() throws {
        let result = try TribuneProgram.run(program: ["/usr/bin/python3", "\(Self.folder)/generate.py", "--check"])
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
    }

    @Test func tribuneTakesItsConfiguration() throws {
        let directory = TemporaryDirectory()
        directory.write("host=postgres", to: "history")
        for name in ["tribune.yml", "prometheus.yml"] {
            let text = try String(contentsOfFile: "\(Self.folder)/tribune/\(name)", encoding: .utf8)
            directory.write(
                text.replacing("/etc/tribune-rules", with: "\(ReferenceTests.root)/rules")
                    .replacing("/run/secrets/history", with: directory.file("history")), to: name)
        }
        let result = try TribuneProgram.run(["check", "config", directory.file("tribune.yml")])
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        #expect(result.output.contains(" 1 plans"))
    }

    @Test func haproxyTakesItsConfigurationAndHasTheServersOfThePlan() throws {
        let path = "\(Self.folder)/haproxy/haproxy.cfg"
        let result = try TribuneProgram.run(program: ["haproxy", "-c", "-f", path])
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let plan = try String(contentsOfFile: "\(ReferenceTests.root)/rules/plans/acgs.yml", encoding: .utf8)
        let backends = plan.matches(of: /stable: \[(\w+)\/blue\]/).map { String($0.1) }
        #expect(backends.count == 7)
        for backend in backends { #expect(text.contains("\nbackend \(backend)\n"), "\(backend)") }
    }

    @Test func everyServiceIsConfinedAndEveryFileIsThere() throws {
        let text = try String(contentsOfFile: "\(Self.folder)/compose.yml", encoding: .utf8)
        #expect(try fields(of: "\(Self.folder)/compose.yml", "services").count == 21)
        // Files of the host that are mounted.
        let mounted = text.matches(of: /['" ](\.{1,2}\/[a-z.\/]+):\//).map { String($0.1) }
        let secrets = text.matches(of: /\{file: ([a-z\/]+)\}/).map { String($0.1) }
        #expect(mounted.count == 6 && secrets.count == 1)
        for path in mounted + secrets {
            #expect(FileManager.default.fileExists(atPath: "\(Self.folder)/\(path)"), "\(path)")
        }
        #expect(!text.contains("privileged"))
        for line in text.split(separator: "\n") where line.contains("ports:") {
            #expect(line.contains("'127.0.0.1:"), "loopback only: \(line)")
        }
    }

    @Test func grafanaFindsItsDataSourcesAndDashboards() throws {
        for name in ["datasources", "dashboards"] {
            let path = "\(Self.folder)/grafana/provisioning/\(name)/tribune.yml"
            #expect(!(try fields(of: path, name == "datasources" ? name : "providers")).isEmpty)
        }
        let amtool = try TribuneProgram.run(program: ["amtool", "check-config", "\(Self.folder)/alertmanager.yml"])
        #expect(amtool.exit == .code(0), "\(amtool.output)\(amtool.errors)")
    }

    private static let podmanCompose = "\(ReferenceTests.root)/.build/tools/podman-compose"

    static var hasPodmanCompose: Bool {
        let isThere =
            FileManager.default.fileExists(atPath: podmanCompose)
            && FileManager.default.isExecutableFile(atPath: "/usr/bin/podman")
        if !isThere { print("skipped: podman or \(podmanCompose) is missing; ./test fetches both where it can") }
        return isThere
    }

    /// What podman-compose would do: a secret from a variable, for example, is a part of the format that it refuses.
    @Test(.enabled(if: ComposeTests.hasPodmanCompose)) func podmanComposeTakesTheFile() throws {
        let result = try TribuneProgram.run(
            program: [
                "env", "PYTHONPATH=\(Self.podmanCompose)", "/usr/bin/python3", "-m", "podman_compose", "--verbose",
                "--in-pod", "false", "--dry-run", "-f", "\(Self.folder)/compose.yml", "up", "-d",
            ], seconds: 120)
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        let created = (result.output + result.errors).split(separator: "\n").filter { $0.contains(":podman create ") }
        #expect(created.count == 21)
        // The image is built here: a registry that has one of its name must not be asked.
        #expect(created.count { $0.contains(" --pull=never ") } == 15)
        for line in created {
            #expect(line.contains(" --pull=never ") == line.contains("/usr/bin/tribune"), "\(line)")
        }
    }
}
