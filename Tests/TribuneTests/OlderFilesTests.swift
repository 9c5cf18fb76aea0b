import CurlHTTP
import Foundation
import JSON
import Runtime
import TestSupport
import Testing

/// Files that an older version wrote are read. `Fixtures/README.md` says how they came about.
@Suite struct OlderFilesTests {
    private static let archive = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Fixtures/files-e9fb6e3.tar.gz").path

    private static let files = [
        "tribune.yml": "prometheus_config: prometheus.yml\nplans: [plan.yml]\ngates: {token_file: token}",
        "prometheus.yml": "global: {}",
        "token": "fixture-token",
        "plan.yml": """
        plan: demo
        stages: [10, 100]
        bake: 1h
        settle: 0s
        services: [{name: web, routes: [{exec: {shift: ['false'], read: ['false']}}]}]
        """,
    ]

    private func start(_ name: String) throws -> RunningTribune {
        try RunningTribune(Self.files, flags: ["--storage.retention.time=100y"]) { directory in
            let unpacked = try ChildProcess(["tar", "-xSzf", Self.archive, "-C", directory.path, name]).wait()
            #expect(unpacked == .code(0))
            rename(directory.file(name), directory.file("data"))
            guard name == "killed" else { return }
            // The database is lost, and a node that remembers its checkpoints would wait for a person.
            unlink(directory.file("data/history/checkpoint"))
        }
    }

    private func events(_ tribune: RunningTribune) throws -> [JSON] {
        try JSON(parsing: try tribune.get("/api/v1/history/events?limit=100").body)["data"]?["events"]?.elements ?? []
    }

    private func holdsAllThatWasRecorded(_ tribune: RunningTribune) throws -> Bool {
        let kinds = Set(try events(tribune).compactMap { $0["kind"]?.text })
        return kinds.isSuperset(of: ["config_change", "deployment", "silence", "checkpoint"])
    }

    @Test(arguments: ["stopped", "killed"]) func samplesJournalSilencesAndHistoryAreRead(_ name: String) throws {
        let tribune = try start(name)
        let sum = try tribune.query("sum_over_time(fixture_requests_total[2h] @ 1795901100)")
        #expect(Array(sum.values) == ["21"])
        let rollout = try JSON(parsing: try tribune.get("/api/v1/rollouts/demo").body)["data"]?["details"]
        #expect(rollout?["generation"]?.integer == 1)
        // 10 was shifted. The bake is over since, so that the next stage may be asked for.
        #expect((rollout?["services"]?.elements?.first?["candidate"]?.integer ?? 0) >= 10)
        let silences = try JSON(parsing: try tribune.get("/api/v2/silences").body)
        #expect(silences.elements?.first?["comment"]?.text == "fixture")
        #expect(silences.elements?.first?["endsAt"]?.text == "2099-01-01T00:00:00Z")
        #expect(try Loopback.eventually { try holdsAllThatWasRecorded(tribune) })
        #expect(tribune.process.stop(graceMilliseconds: 20_000) == .code(0))
        #expect(!tribune.log.contains("damaged"), "\(tribune.log)")
    }

    @Test func theLedgerStillProvesWhatWasWritten() throws {
        let tribune = try start("stopped")
        #expect(tribune.process.stop(graceMilliseconds: 20_000) == .code(0))
        let result = try TribuneProgram.run([
            "audit", "verify", "--config.file=\(tribune.directory.file("tribune.yml"))",
            "--storage.path=\(tribune.directory.file("data"))",
        ])
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
    }

    @Test func sealedChunksAreRead() throws {
        let tribune = try start("long")
        let count = try tribune.query("count_over_time(fixture_requests_total[2h] @ 1795901100)")
        #expect(Array(count.values) == ["695"])
        let sum = try tribune.query("sum_over_time(fixture_requests_total[2h] @ 1795901100)")
        #expect(Array(sum.values) == ["241860"])
    }
}
