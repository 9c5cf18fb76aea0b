import Glibc
import Runtime
import TestSupport
import Testing

/// Debian's packages of Prometheus, its exporter and Alertmanager, with their files and flags untouched.
@Suite struct DebianPackageTests {
    private static let programs = [
        "/usr/bin/prometheus", "/usr/bin/prometheus-node-exporter", "/usr/bin/prometheus-alertmanager",
        "/usr/bin/amtool",
    ]
    /// The units listen on their own ports: they run in a network of their own, which only root can make.
    private static let isPossible =
        geteuid() == 0 && programs.allSatisfy { access($0, X_OK) == 0 }
        && (try? TribuneProgram.run(program: ["unshare", "--net", "--mount", "true"]).exit) == .code(0)

    @Test(.enabled(if: isPossible, "needs root and Debian's packages of Prometheus"))
    func tribuneStartsInPlaceOfThePackagesProgram() throws {
        let result = try TribuneProgram.run(
            program: ["/usr/bin/python3", "\(ReferenceTests.root)/scripts/debian-prometheus.py", TribuneProgram.path],
            seconds: 400)
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        #expect(result.output.contains("promtool and alert: OK"))
    }
}
