import Database
import Glibc
import Instrumentation
import JSON
import MetricModel
import Runtime
import TestSupport
import Testing

@testable import History

@Suite struct LedgerAuditTests {
    private let directory = TemporaryDirectory()
    private let configuration: HistoryConfiguration

    /// A ledger of two schema steps, then 40 events and 4 batches of 6 measurements: every eleventh entry is a batch.
    init() throws {
        configuration = HistoryConfiguration(directory: directory.file("history"), origin: "test.example/ledger")
        try Self.fill(configuration)
    }

    private static let batches: [Int64] = [13, 24, 35, 46]

    private static func fill(_ configuration: HistoryConfiguration) throws {
        let runner = try HistoryRunner(configuration, logger: .silent, registry: Registry())
        for number in 1...40 {
            runner.record(
                LedgerEvent(
                    milliseconds: Int64(number), kind: .decision, subject: "s",
                    body: ["number": .integer(Int64(number))]))
            if number % 10 == 0 {
                let values: [Double] = [1, -0.1, .nan, .infinity, 1e-300, 123_456_789]
                runner.record(
                    measurements: values.enumerated().map { offset, value in
                        Measurement(
                            labels: ["__name__": "m", "path": "/\"\(offset % 2)"],
                            timestamp: Timestamp(milliseconds: 1_700_000_000_000 + Int64(number + offset)), value: value
                        )
                    })
            }
            // Checkpoints at several sizes.
            if number == 20 { #expect(runner.drain(timeout: 20_000)) }
        }
        runner.stop()
    }

    private func verify() throws -> LedgerReport { try LedgerAudit(configuration).verify() }

    private func change(_ script: String) throws {
        try configuration.openStore().run(script)
    }

    /// The problems as text, for comparison.
    private func problems() throws -> [String] { try verify().problems.map(\.description) }

    @Test func `an untouched ledger is intact`() throws {
        let report = try verify()
        #expect(report.problems == [])
        #expect(report.entries == 46)
        #expect(report.batches == 4)
        #expect(report.signedEntries == 46)
        #expect(report.checkpoints >= 1)
        #expect(report.publicKey.hasPrefix("test.example/ledger+"))
    }

    /// What somebody with access to the database may do, with the entries that must be named.
    @Test(
        arguments: [
            (
                "UPDATE ledger SET leaf = replace(leaf, '\"number\":5', '\"number\":6') WHERE sequence = 7", 7...7,
                "altered"
            ),
            ("UPDATE ledger SET subject = 'other' WHERE sequence = 9", 9...9, "altered"),
            ("UPDATE ledger SET kind = 'alert' WHERE sequence = 9", 9...9, "altered"),
            ("UPDATE ledger SET milliseconds = 0 WHERE sequence = 9", 9...9, "altered"),
            ("UPDATE ledger SET hash = zeroblob(32) WHERE sequence = 10", 10...10, "altered"),
            ("DELETE FROM ledger WHERE sequence = 11", 11...11, "removed"),
            ("DELETE FROM ledger WHERE sequence BETWEEN 20 AND 30", 20...30, "removed"),
            ("DELETE FROM ledger WHERE sequence > 40", 41...46, "removed"),
            ("DELETE FROM ledger WHERE sequence > 40; DELETE FROM measurement WHERE batch > 40", 41...46, "removed"),
            (
                "INSERT INTO ledger SELECT 47, milliseconds, kind, subject, leaf, hash FROM ledger WHERE sequence = 3",
                47...47, "inserted"
            ),
            (
                "INSERT INTO ledger SELECT 0, milliseconds, kind, subject, leaf, hash FROM ledger WHERE sequence = 3",
                0...0, "inserted"
            ),
            (
                "UPDATE ledger SET sequence = 1000 WHERE sequence = 4; UPDATE ledger SET sequence = 4 WHERE sequence = 5; UPDATE ledger SET sequence = 5 WHERE sequence = 1000",
                4...4, "moved"
            ),
            ("UPDATE measurement SET value = 2 WHERE batch = 13 AND value = 1", 13...13, "altered"),
            (
                "UPDATE measurement SET milliseconds = milliseconds + 1 WHERE batch = 24 AND value = 1", 24...24,
                "altered"
            ),
            ("DELETE FROM measurement WHERE batch = 35 AND value = 1", 35...35, "altered"),
            ("DELETE FROM measurement WHERE batch = 35", 35...35, "removed"),
            ("INSERT INTO measurement VALUES (46, 1, 1700000000000, 1)", 46...46, "altered"),
            ("INSERT INTO measurement VALUES (12, 1, 1700000000000, 1)", 12...12, "inserted"),
            ("INSERT INTO measurement VALUES (99, 1, 1700000000000, 1)", 99...99, "inserted"),
            ("UPDATE measurement SET batch = 24 WHERE batch = 13", 13...13, "removed"),
            ("UPDATE series SET labels = '{}' WHERE id = 1", 13...13, "altered"),
        ] as [(String, ClosedRange<Int64>, String)])
    func `what was tampered with is found and named`(script: String, sequences: ClosedRange<Int64>, word: String) throws
    {
        try change(script)
        let report = try verify()
        #expect(!report.isIntact)
        #expect(
            report.problems.contains { $0.sequences == sequences && $0.message.contains(word) },
            "\(report.problems.map(\.description))")
    }

    @Test func `one altered entry is one problem`() throws {
        try change("UPDATE ledger SET leaf = replace(leaf, '\"number\":5', '\"number\":6') WHERE sequence = 7")
        #expect(try problems() == ["entry 7: its text is not the one that was hashed: altered"])
    }

    @Test func `an entry replaced together with its hash is caught by its successor and the signed root`() throws {
        let ledger = Ledger(store: try configuration.openStore())
        let row = try #require(try ledger.rows(after: 6, limit: 1).first)
        let forged = row.leaf.replacing("\"number\":5", with: "\"number\":6")
        _ = try ledger.store.change(
            "UPDATE ledger SET leaf = $1, hash = $2 WHERE sequence = 7",
            [.text(forged), .blob(MerkleTree.hash(leaf: Array(forged.utf8)))])
        let report = try verify()
        #expect(
            report.problems.first?.description
                == "entries 7-8: entry 8 remembers another entry 7: one of the two was replaced")
        #expect(report.problems.contains { $0.message.contains("another root than was signed") })
    }

    @Test func `a whole new history needs the key`() throws {
        // Everything rewritten consistently, as by somebody who runs Tribune on a copy with a key of his own.
        var other = configuration
        other.directory = directory.file("forged")
        try Self.fill(other)
        let key = try verify().publicKey
        #expect(try LedgerAudit(other).verify().isIntact)
        let report = try LedgerAudit(other).verify(publicKey: key)
        #expect(report.problems.first?.message.contains("was not signed by test.example/ledger") == true)
        #expect(report.signedEntries == 0)
    }

    @Test func `cutting the end off with checkpoints and head is told by the checkpoint beside the database`() throws {
        let ledger = Ledger(store: try configuration.openStore())
        var tree = MerkleTree()
        let rows = try ledger.rows(after: 0, limit: 40)
        for row in rows { tree.append(leafHash: row.hash) }
        try ledger.store.run(
            "DELETE FROM ledger WHERE sequence > 40; DELETE FROM checkpoint WHERE size > 40; DELETE FROM measurement WHERE batch > 40"
        )
        _ = try ledger.store.change(
            "UPDATE log SET size = 40, frontier = $1, previous = $2",
            [.blob(tree.encodedFrontier), .blob(try #require(rows.last).hash)])
        #expect(try problems() == ["entries 41-46: removed: a signed checkpoint covers them"])
    }

    @Test func `a checkpoint or head that was changed is found`() throws {
        try change("UPDATE checkpoint SET note = replace(note, 'test.example', 'best.example')")
        #expect(try problems().contains { $0.contains("was not signed by") })
        try change("UPDATE log SET previous = zeroblob(32)")
        #expect(try problems().contains("the ledger's head does not fit its entries"))
    }

    @Test func `an export verifies without the database and tells what was changed in it`() throws {
        let path = directory.file("export")
        #expect(try LedgerAudit(configuration).export(to: path) == 46)
        var report = try LedgerAudit.verify(export: path)
        #expect(report.problems == [])
        #expect(report.entries == 46 && report.batches == 4 && report.signedEntries == 46)
        #expect(report.root == (try verify().root))
        #expect(throws: HistoryError.self) { try LedgerAudit(configuration).export(to: path) }

        func tampered(_ file: String, _ edit: ([Substring]) -> [Substring]) throws -> [LedgerReport.Problem] {
            let text = try #require(FileText.read("\(path)/\(file)"))
            defer { directory.write(text, to: "export/\(file)") }
            let lines = edit(text.split(separator: "\n"))
            directory.write(lines.map { $0 + "\n" }.joined(), to: "export/\(file)")
            return try LedgerAudit.verify(export: path).problems
        }
        #expect(try tampered("ledger.jsonl") { $0.filter { !$0.contains("\"number\":5}") } }.first?.sequences == 7...7)
        #expect(try tampered("ledger.jsonl") { $0.dropLast(3).map { $0 } }.contains { $0.sequences == 44...46 })
        let edited = try tampered("ledger.jsonl") {
            $0.map { Substring($0.replacing("\"number\":5}", with: "\"number\":7}")) }
        }
        #expect(edited.map(\.sequences) == [7...7])
        #expect(try !tampered("ledger.jsonl") { [$0[1], $0[0]] + $0.dropFirst(2) }.isEmpty)
        #expect(try tampered("ledger.jsonl") { $0 + ["garbage"] }.contains { $0.sequences == 47...47 })
        #expect(try tampered("measurements.jsonl") { $0.dropFirst().map { $0 } }.map(\.sequences) == [13...13])
        #expect(
            try !tampered("checkpoints.jsonl") {
                $0.map { Substring($0.replacing("ledger\\n46", with: "ledger\\n45")) }
            }.isEmpty)

        let other = try LedgerAudit(configuration).verify().publicKey
        report = try LedgerAudit.verify(export: path, publicKey: other)
        #expect(report.isIntact)
        #expect(throws: HistoryError.self) { try LedgerAudit.verify(export: path, publicKey: "nonsense") }
    }

    @Test(arguments: [false, true])
    func `retention drops whole months, records it, and the ledger stays intact`(onPostgres: Bool) throws {
        if onPostgres && PostgresServer.programDirectory == nil { return }
        let server = onPostgres ? try PostgresServer() : nil
        var configuration = HistoryConfiguration(directory: directory.file("retained"), origin: "retained")
        if let server { configuration.database = .postgres(address: server.address) }
        let now = SystemClock.wallMilliseconds()
        let day: Int64 = 86_400_000
        func run(_ times: [Int64]) throws {
            let runner = try HistoryRunner(configuration, logger: .silent, registry: Registry())
            let measurements = times.map {
                Measurement(labels: ["__name__": "m"], timestamp: Timestamp(milliseconds: $0), value: 1)
            }
            runner.record(measurements: measurements)
            #expect(runner.drain(timeout: 20_000))
            runner.stop()
        }
        try run([now - 100 * day, now - 70 * day, now])
        configuration.retention = .milliseconds(32 * day)
        try run([now])
        let report = try LedgerAudit(configuration).verify()
        #expect(report.problems == [])
        #expect(report.batches == 2)
        #expect(report.droppedBatches == 2)
        let ledger = Ledger(store: try configuration.openReadingStore())
        #expect(try ledger.store.rows("SELECT count(*) FROM measurement") == [[.integer(2)]])
        #expect(try ledger.entries(LedgerQuery(kinds: [.retention])).count == 2)
    }

    @Test(.enabled(if: PostgresServer.programDirectory != nil))
    func `PostgreSQL holds the same ledger and tampering there is found as well`() throws {
        let server = try PostgresServer()
        var configuration = HistoryConfiguration(directory: directory.file("postgres"), origin: "test.example/ledger")
        configuration.database = .postgres(address: server.address)
        try Self.fill(configuration)
        let audit = LedgerAudit(configuration)
        #expect(try audit.verify().problems == [])
        #expect(try audit.verify().batches == 4)
        let path = directory.file("postgres-export")
        try audit.export(to: path)
        #expect(try LedgerAudit.verify(export: path).isIntact)
        let store = try configuration.openStore()
        #expect(try store.rows("SELECT count(*) FROM measurements WHERE labels->>'path' = '/\"0'") == [[.integer(12)]])
        try store.run(
            "UPDATE ledger SET subject = 'x' WHERE sequence = 21; UPDATE measurement SET value = 7 WHERE batch = 25")
        #expect(try audit.verify().problems.map(\.sequences) == [21...21, 25...25])
    }
}

@Suite struct MigrationTests {
    private let directory = TemporaryDirectory()

    @Test(arguments: [false, true])
    func `steps go up, are recorded, verified, and come down again`(onPostgres: Bool) throws {
        if onPostgres && PostgresServer.programDirectory == nil { return }
        let server = onPostgres ? try PostgresServer() : nil
        var configuration = HistoryConfiguration(directory: directory.path)
        if let server { configuration.database = .postgres(address: server.address) }
        let audit = LedgerAudit(configuration)
        // Only Postgres can be shared, so only there is a lease.
        let lease = onPostgres ? ["3 lease"] : []
        if onPostgres { #expect(throws: HistoryError.self) { try audit.verifySchema() } }
        #expect(try audit.migrate() == ["1 ledger", "2 measurements"] + lease)
        #expect(try audit.migrate() == [])
        try audit.verifySchema()
        for step in lease + ["2 measurements"] { #expect(try audit.rollback() == step) }
        #expect { try audit.verifySchema() } throws: { "\($0)".contains("step 1 of \(2 + lease.count)") }
        #expect { try audit.rollback() } throws: { "\($0)".contains("never undone") }
        #expect(try audit.migrate() == ["2 measurements"] + lease)
        let store = try configuration.openStore()
        let entries = try Ledger(store: store).entries(LedgerQuery(kinds: [.migration]))
        let (ups, downs) = (lease.map { _ in "up" }, lease.map { _ in "down" })
        #expect(
            entries.map { $0.event.body["direction"]?.text } == ups + ["up", "down"] + downs + ups + ["up", "up"],
            "the latest first")
        try store.run("INSERT INTO series (id, digest, labels) VALUES (1, 'x', '{}')")
        if onPostgres { try store.prepare(Month(year: 2026, month: 11)) }
        let time = Month(year: 2026, month: 11).start
        try store.run("INSERT INTO measurement (batch, series, milliseconds, value) VALUES (1, 1, \(time), 1)")
        for step in lease { #expect(try audit.rollback() == step) }
        #expect { try audit.rollback() } throws: { "\($0)".contains("measurements") }
        #expect(try audit.rollback(discarding: true) == "2 measurements")
        #expect(try audit.migrate() == ["2 measurements"] + lease)
        try store.run("UPDATE schema_migration SET checksum = 'other' WHERE version = 2")
        #expect { try audit.verifySchema() } throws: { "\($0)".contains("another form") }
        try store.run("DELETE FROM schema_migration WHERE version = 2; DROP TABLE spool")
        try store.run(
            "INSERT INTO schema_migration SELECT 2, name, checksum, 0 FROM schema_migration WHERE version = 1")
        #expect(throws: HistoryError.self) { try audit.migrate() }
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
        let threads = configurations.map { configuration in
            WorkerThread("migrate") { results.send((try? LedgerAudit(configuration).migrate().count) ?? -100) }
        }
        threads.forEach { $0.join() }
        var total = 0
        for _ in threads { if case .message(let count) = results.receive() { total += count } }
        #expect(total == 3)
    }
}
