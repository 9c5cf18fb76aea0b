import Glibc
import Runtime
import TestSupport
import Testing

@Suite struct DemoTests {
    /// The whole chain on real traffic: HAProxy, node_exporter, two services, load, rollback, webhook, report.
    @Test func aBadReleaseIsRolledBackWithinASecondAndLosesNoRequest() throws {
        let directory = TemporaryDirectory()
        // As a relative path, which every program of the demo has to find all the same.
        let kept = String(repeating: "../", count: 30) + directory.file("demo").dropFirst()
        let result = try TribuneProgram.run(
            [
                "demo", "--once", "--small", "--keep", kept,
                "--web.listen-address=127.0.0.1:\(Loopback.freePort())",
            ], seconds: 150)
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        #expect(result.output.contains("weights   blue 100 %, green 0 % (rolled_back)"))
        #expect(result.output.contains("broken    0 requests without an answer, 0 with an error"))
        #expect(result.output.contains("webhook   firing "))
        let verified = result.output.split(separator: "\n").first { $0.contains("verified demo") }
        let milliseconds = Double(verified?.split(separator: " ").first ?? "") ?? .infinity
        #expect(milliseconds < 1000)
        let audit = try TribuneProgram.run([
            "audit", "verify", "--config.file=\(directory.file("demo/tribune.yml"))",
            "--storage.path=\(directory.file("demo/data"))",
        ])
        #expect(audit.output.contains("The record is intact."), "\(audit.output)\(audit.errors)")
    }

    /// The card: the history in PostgreSQL, a Prometheus beside Tribune, a strict pager; and it can be played again.
    @Test(.enabled(if: PostgresServer.programDirectory != nil)) func othersConfirmTheRollback() throws {
        let result = try TribuneProgram.run(["demo", "--once", "--web.listen-address=127.0.0.1:0"], seconds: 200)
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        for line in ["violation: entry ", "decision: entry ", "shift: entry ", "notification: entry "] {
            #expect(result.output.contains(line), "\(line) in \(result.output)")
        }
        #expect(result.output.contains("pager     [FIRING:1] "))
        #expect(result.output.contains("Prometheus has counted 1 rollback"))
        #expect(result.output.contains("== What next"))
    }
}
