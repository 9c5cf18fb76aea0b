import Glibc
import Runtime
import TestSupport
import Testing

/// A real Tribune that records series into a real PostgreSQL, both killed again and again. The long form is
/// `scripts/soak.sh history`.
@Suite(.enabled(if: PostgresServer.programDirectory != nil, "PostgreSQL is not installed"), .serialized)
struct HistoryOutageTests {
    private static let rounds = getenv("TRIBUNE_HISTORY_KILLS").flatMap { Int(String(cString: $0)) } ?? 2
    /// Seconds that each outage of the database lasts.
    private static let outage = getenv("TRIBUNE_HISTORY_OUTAGE").flatMap { UInt32(String(cString: $0)) } ?? 1

    @Test func `kills of either side lose nothing and repeat nothing`() throws {
        let server = try PostgresServer()
        let tribune = try RunningTribune([
            "prometheus.yml": """
            global: {scrape_interval: 1s}
            scrape_configs: [{job_name: tribune, static_configs: [{targets: ['127.0.0.1:PORT']}]}]
            """,
            "tribune.yml": """
            prometheus_config: prometheus.yml
            history:
              postgres: {connection: '\(server.address)'}
              record: [{match: '{__name__=~"tribune_.+"}', interval: 1s}]
            """,
        ])
        func figure(_ sql: String) throws -> Int {
            let result = try TribuneProgram.run(program: [
                try #require(PostgresServer.programDirectory) + "/psql", "-X", "-A", "-t", "-d", server.address, "-c",
                sql,
            ])
            return Int(result.output.filter(\.isNumber)) ?? -1
        }
        func rows() throws -> Int { try figure("SELECT count(*) FROM tribune.sample") }
        var seen = 0
        for _ in 0..<Self.rounds {
            #expect(try Loopback.eventually(within: 60) { try rows() > seen }, "\(tribune.log)")
            server.kill()
            sleep(Self.outage)
            tribune.process.signal(SIGKILL)
            _ = tribune.process.wait()
            try tribune.restart()
            try server.start()
            #expect(try Loopback.eventually(within: 60) { try rows() > seen }, "\(tribune.log)")
            seen = try rows()
            tribune.process.signal(SIGKILL)
            _ = tribune.process.wait()
            try tribune.restart()
        }
        #expect(try Loopback.eventually(within: 60) { try rows() > seen }, "\(tribune.log)")
        #expect(tribune.process.stop(graceMilliseconds: 60_000) == .code(0))
        let stored = try rows()
        #expect(try figure("SELECT count(*) FROM (SELECT DISTINCT series, time FROM tribune.sample) d") == stored)
        let promised = "SELECT sum((leaf::jsonb #>> '{body,count}')::bigint) FROM tribune.ledger"
        #expect(try figure("\(promised) WHERE kind = 'measurements'") == stored)
        let verified = try TribuneProgram.run([
            "audit", "verify", "--config.file=\(tribune.directory.file("tribune.yml"))",
            "--storage.path=\(tribune.directory.file("data"))",
        ])
        #expect(verified.exit == .code(0), "\(verified.output)\(verified.errors)")
    }
}
