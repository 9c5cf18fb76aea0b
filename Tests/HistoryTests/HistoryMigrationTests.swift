import Database
import Glibc
import Instrumentation
import JSON
import MetricModel
import Runtime
import TestSupport
import Testing

@testable import History

@Suite struct HistoryMigrationTests {
    private let directory = TemporaryDirectory()

    @Test(arguments: [false, true])
    func `steps go up, are recorded, verified, and come down again`(onPostgres: Bool) throws {
        if onPostgres && PostgresServer.programDirectory == nil { return }
        let server = onPostgres ? try PostgresServer() : nil
        var configuration = HistoryConfiguration(directory: directory.path)
        if let server { configuration.database = .postgres(address: server.address) }
        let audit = LedgerAudit(configuration)
        // Only PostgreSQL can be shared, so only there is a lease.
        let later =
            onPostgres
            ? ["3 lease", "4 evidence", "5 queries", "6 incidents", "7 streams"]
            : ["3 evidence", "4 queries", "5 incidents", "6 streams"]
        if onPostgres { #expect(throws: HistoryError.self) { try audit.verifySchema() } }
        #expect(try audit.migrate() == ["1 ledger", "2 measurements"] + later)
        #expect(try audit.migrate() == [])
        try audit.verifySchema()
        for step in later.reversed() + ["2 measurements"] { #expect(try audit.rollback() == step) }
        #expect { try audit.verifySchema() } throws: { "\($0)".contains("step 1 of \(2 + later.count)") }
        #expect { try audit.rollback() } throws: { "\($0)".contains("never undone") }
        #expect(try audit.migrate() == ["2 measurements"] + later)
        let store = try configuration.openStore()
        let entries = try Ledger(store: store).entries(LedgerQuery(kinds: [.migration]))
        let (ups, downs) = (later.map { _ in "up" }, later.map { _ in "down" })
        #expect(
            entries.map { $0.event.body["direction"]?.text } == ups + ["up", "down"] + downs + ups + ["up", "up"],
            "the latest first")
        try store.run("INSERT INTO series (id, digest, labels) VALUES (1, 'x', '{}')")
        let month = Month(year: 2026, month: 11)
        let time = month.start
        if onPostgres {
            let bounds = "FROM (\(month.start)) TO (\(month.next.start))"
            try store.run("CREATE TABLE measurement_2026_11 PARTITION OF measurement FOR VALUES \(bounds)")
        }
        try store.run("INSERT INTO measurement (batch, series, milliseconds, value) VALUES (1, 1, \(time), 1)")
        for step in later.reversed() { #expect(try audit.rollback() == step) }
        #expect { try audit.rollback() } throws: { "\($0)".contains("measurements") }
        #expect(try audit.rollback(discarding: true) == "2 measurements")
        #expect(try audit.migrate() == ["2 measurements"] + later)
        try store.run("UPDATE schema_migration SET checksum = 'other' WHERE version = 2")
        #expect { try audit.verifySchema() } throws: { "\($0)".contains("a different form") }
        try store.run("DELETE FROM schema_migration WHERE version = 2; DROP TABLE spool")
        try store.run(
            "INSERT INTO schema_migration SELECT 2, name, checksum, 0 FROM schema_migration WHERE version = 1")
        #expect(throws: HistoryError.self) { try audit.migrate() }
    }

    @Test(arguments: EvidenceWorld.kinds) func `a changed schema is found part by part`(kind: EvidenceWorld.Kind) throws
    {
        let world = try EvidenceWorld(kind)
        if kind == .sqlite { mkdir(world.configuration.directory, 0o700) }
        _ = try world.audit.migrate()
        try world.audit.verifySchema()
        let both = [
            ("DROP INDEX ledger_kind", "ledger_kind"), ("ALTER TABLE blob ADD COLUMN extra TEXT", "extra"),
            (
                "DROP TABLE witness; CREATE TABLE witness (size BIGINT, kind TEXT, milliseconds BIGINT, content BLOB)",
                "witness"
            ),
        ]
        let postgres = [
            ("DROP INDEX ledger_kind", "missing: index"),
            ("ALTER TABLE ledger DROP CONSTRAINT ledger_pkey", "ledger_pkey"),
            ("ALTER TABLE spool ALTER sequence TYPE integer", "column spool.sequence"),
            ("ALTER TABLE ledger ALTER leaf DROP NOT NULL", "column ledger.leaf"),
            ("ALTER TABLE log DROP CONSTRAINT log_id_check", "CHECK"),
            (
                "DROP VIEW measurements; CREATE VIEW measurements AS SELECT now() AS time, '{}'::json AS labels, 1.0 AS value, 1 AS batch",
                "view measurements"
            ),
        ]
        for (script, word) in kind == .sqlite ? both : postgres {
            let changed = try EvidenceWorld(.sqlite)
            let world = kind == .sqlite ? changed : world
            if kind == .sqlite {
                mkdir(world.configuration.directory, 0o700)
                _ = try world.audit.migrate()
            }
            try world.configuration.openStore().run(script)
            #expect { try world.audit.verifySchema() } throws: { "\($0)".contains(word) }
        }
    }

    @Test(.enabled(if: PostgresServer.programDirectory != nil))
    func `two processes that migrate at once do not disturb each other`() throws {
        let server = try PostgresServer()
        let configurations = (0..<4).map { number in
            var configuration = HistoryConfiguration(directory: directory.file("\(number)"))
            configuration.database = .postgres(address: server.address)
            return configuration
        }
        let results = Mailbox<Int>(capacity: 4)
        let threads = try configurations.map { configuration in
            try WorkerThread("migrate") { results.send((try? LedgerAudit(configuration).migrate().count) ?? -100) }
        }
        threads.forEach { $0.join() }
        var total = 0
        for _ in threads { if case .message(let count) = results.receive() { total += count } }
        #expect(total == 7)
    }
}
