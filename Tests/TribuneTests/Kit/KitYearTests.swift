import Glibc
import Runtime
import TestSupport
import Testing

/// The platform's year in short form: a drill, a violation, two migrations, the pipeline, a load test, a certificate.
@Suite(.enabled(if: RunningKit.isAvailable, "HAProxy, PostgreSQL, Redis or an exporter is not installed"))
struct KitYearTests {
    @Test func theYearIsPlayedAndTheCertificateSaysWhatIsMissing() throws {
        let kit = try RunningKit(pace: 20, rate: 600)
        let output = kit.directory.file("year")
        let year = try ChildProcess(
            ["bash", "\(ReferenceTests.root)/scripts/acgs-year.sh", "--short", kit.directory.file("kit")],
            environment: [
                "TRIBUNE": TribuneProgram.path, "TRIBUNE_RUNTIME_DIR": kit.directory.file("run"), "WINDOW": "15s",
                "THROUGHPUT": "50", "RATE": "20", "SECONDS_OF_LOAD": "5", "PATIENCE": "400",
            ], output: .file(output))
        defer { year.stop() }
        let exit = year.wait(milliseconds: 900_000)
        let text = FileText.read(output) ?? ""
        #expect(exit == .code(0), "\(text)")
        for line in [
            "back and paged within", "auth: green has all traffic", "ac: green has all traffic",
            "The certificate is genuine.",
            "The record is intact.", "passed   seconds until the rollback was validated",
        ] { #expect(text.contains(line), "\(line) in \(text)") }
        // The other five services were not migrated.
        #expect(text.contains("[!] All 7 services migrated"), "\(text)")
    }
}
