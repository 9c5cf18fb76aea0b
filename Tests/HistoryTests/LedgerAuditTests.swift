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

    /// Entries before the first event: the schema steps and the node's key.
    private let base: Int64

    /// A ledger of 40 events and 4 batches of 6 measurements: every eleventh entry is a batch.
    init() throws {
        configuration = HistoryConfiguration(directory: directory.file("history"), origin: "test.example/ledger")
        try Self.fill(configuration)
        base = try Ledger(store: configuration.openReadingStore()).head().size - 44
    }

    /// `text` with `#5` replaced by the sequence number of the fifth entry after ``base``.
    private func numbered(_ text: String) -> String {
        let parts = text.split(separator: "#", omittingEmptySubsequences: false)
        return parts.dropFirst().reduce(String(parts[0])) { result, part in
            let digits = part.prefix { $0.isNumber }
            return result + "\((Int64(digits) ?? 0) + base)" + part.dropFirst(digits.count)
        }
    }

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

    /// The range of one entry after ``base``.
    private func at(_ number: Int64) -> ClosedRange<Int64> { base + number...base + number }

    /// The problems as text, for comparison.
    private func problems() throws -> [String] { try verify().problems.map(\.description) }

    @Test func `an untouched ledger is intact`() throws {
        let report = try verify()
        #expect(report.problems == [])
        #expect(report.entries == base + 44)
        #expect(report.batches == 4)
        #expect(report.signedEntries == base + 44)
        #expect(report.checkpoints >= 1)
        #expect(report.publicKey.hasPrefix("test.example/ledger+"))
    }

    /// Changes that an attacker with access to the database may make, with the entries that must be reported.
    @Test(
        arguments: [
            (
                "UPDATE ledger SET leaf = replace(leaf, '\"number\":5', '\"number\":6') WHERE sequence = #5", 5...5,
                "altered"
            ),
            ("UPDATE ledger SET subject = 'other' WHERE sequence = #7", 7...7, "altered"),
            ("UPDATE ledger SET kind = 'alert' WHERE sequence = #7", 7...7, "altered"),
            ("UPDATE ledger SET milliseconds = 0 WHERE sequence = #7", 7...7, "altered"),
            ("UPDATE ledger SET hash = zeroblob(32) WHERE sequence = #8", 8...8, "altered"),
            ("DELETE FROM ledger WHERE sequence = #9", 9...9, "removed"),
            ("DELETE FROM ledger WHERE sequence BETWEEN #18 AND #28", 18...28, "removed"),
            ("DELETE FROM ledger WHERE sequence > #38", 39...44, "removed"),
            ("DELETE FROM ledger WHERE sequence > #38; DELETE FROM measurement WHERE batch > #38", 39...44, "removed"),
            (
                "INSERT INTO ledger (sequence, milliseconds, kind, subject, leaf, hash) SELECT #45, milliseconds, kind, subject, leaf, hash FROM ledger WHERE sequence = #1",
                45...45, "inserted"
            ),
            (
                "INSERT INTO ledger (sequence, milliseconds, kind, subject, leaf, hash) SELECT 0, milliseconds, kind, subject, leaf, hash FROM ledger WHERE sequence = #1",
                -100 ... -100, "inserted"
            ),
            (
                "UPDATE ledger SET sequence = 1000 WHERE sequence = #2; UPDATE ledger SET sequence = #2 WHERE sequence = #3; UPDATE ledger SET sequence = #3 WHERE sequence = 1000",
                2...2, "moved"
            ),
            ("UPDATE measurement SET value = 2 WHERE batch = #11 AND value = 1", 11...11, "altered"),
            (
                "UPDATE measurement SET milliseconds = milliseconds + 1 WHERE batch = #22 AND value = 1", 22...22,
                "altered"
            ),
            ("DELETE FROM measurement WHERE batch = #33 AND value = 1", 33...33, "altered"),
            ("DELETE FROM measurement WHERE batch = #33", 33...33, "removed"),
            ("INSERT INTO measurement VALUES (#44, 1, 1700000000000, 1)", 44...44, "altered"),
            ("INSERT INTO measurement VALUES (#10, 1, 1700000000000, 1)", 10...10, "inserted"),
            ("INSERT INTO measurement VALUES (#97, 1, 1700000000000, 1)", 97...97, "inserted"),
            ("UPDATE measurement SET batch = #22 WHERE batch = #11", 11...11, "removed"),
            ("UPDATE series SET labels = '{}' WHERE id = 1", 11...11, "altered"),
        ] as [(String, ClosedRange<Int64>, String)])
    func `what was tampered with is found and named`(script: String, sequences: ClosedRange<Int64>, word: String) throws
    {
        try change(numbered(script))
        let report = try verify()
        #expect(!report.isIntact)
        // The entry 0 is the one place that does not depend on the entries before.
        let expected = sequences == -100 ... -100 ? 0...0 : sequences.lowerBound + base...sequences.upperBound + base
        #expect(
            report.problems.contains { $0.sequences == expected && $0.message.contains(word) },
            "\(report.problems.map(\.description))")
    }

    @Test func `one altered entry is one problem`() throws {
        try change(
            "UPDATE ledger SET leaf = replace(leaf, '\"number\":5', '\"number\":6') WHERE sequence = \(base + 5)")
        #expect(try problems() == ["entry \(base + 5): its text is not the one that was hashed: altered"])
    }

    @Test func `an entry replaced together with its hash is caught by its successor and the signed root`() throws {
        let ledger = Ledger(store: try configuration.openStore())
        let row = try #require(try ledger.rows(after: base + 4, limit: 1).first)
        let forged = row.leaf.replacing("\"number\":5", with: "\"number\":6")
        _ = try ledger.store.change(
            "UPDATE ledger SET leaf = $1, hash = $2 WHERE sequence = \(base + 5)",
            [.text(forged), .blob(MerkleTree.hash(leaf: Array(forged.utf8)))])
        let report = try verify()
        #expect(
            report.problems.first?.description
                == "entries \(base + 5)-\(base + 6): entry \(base + 6) follows another entry \(base + 5): one of the two was replaced"
        )
        #expect(report.problems.contains { $0.message.contains("another root than was signed") })
    }

    @Test func `a whole new history needs the key`() throws {
        // Everything rewritten consistently, as by an attacker who runs Tribune on a copy with another key.
        var other = configuration
        other.directory = directory.file("forged")
        try Self.fill(other)
        var trust = LedgerAudit.Trust()
        trust.publicKeys = [try verify().publicKey]
        #expect(try LedgerAudit(other).verify().isIntact)
        let report = try LedgerAudit(other).verify(trust)
        #expect(report.problems.first?.message.contains("was not signed by test.example/ledger") == true)
        #expect(report.signedEntries == 0)
    }

    @Test func `cutting the end off with checkpoints and head is told by the checkpoint beside the database`() throws {
        let ledger = Ledger(store: try configuration.openStore())
        var tree = MerkleTree()
        let kept = base + 38
        let rows = try ledger.rows(after: 0, limit: Int(kept))
        for row in rows { tree.append(leafHash: row.hash) }
        try ledger.store.run(
            """
            DELETE FROM ledger WHERE sequence > \(kept); DELETE FROM checkpoint WHERE size > \(kept);
            DELETE FROM measurement WHERE batch > \(kept)
            """)
        _ = try ledger.store.change(
            "UPDATE log SET size = \(kept), frontier = $1, previous = $2",
            [.blob(tree.encodedFrontier), .blob(try #require(rows.last).hash)])
        #expect(try problems() == ["entries \(kept + 1)-\(base + 44): removed: a signed checkpoint covers them"])
    }

    @Test func `a checkpoint or head that was changed is found`() throws {
        try change("UPDATE checkpoint SET note = replace(note, 'test.example', 'best.example')")
        #expect(try problems().contains { $0.contains("was not signed by") })
        try change("UPDATE log SET previous = zeroblob(32)")
        #expect(try problems().contains("the ledger's head does not fit its entries"))
    }

    @Test func `a proof of an impossible entry is no proof`() throws {
        let audit = LedgerAudit(configuration)
        let proof = try audit.prove(base + 1)
        #expect(try audit.check(proof) == nil)
        for index in [Int64.max, -1] {
            let text = proof.text.replacing("index \(base)\n", with: "index \(index)\n")
            #expect(throws: HistoryError.self) {
                _ = try LedgerProof(json: ["leaf": .string(proof.leaf), "proof": .string(text)])
            }
        }
    }

    @Test func `an export verifies without the database and tells what was changed in it`() throws {
        let path = directory.file("export")
        #expect(try LedgerAudit(configuration).export(to: path) == base + 44)
        var report = try LedgerAudit.verify(export: path)
        #expect(report.problems == [])
        #expect(report.entries == base + 44 && report.batches == 4 && report.signedEntries == base + 44)
        #expect(report.root == (try verify().root))
        #expect(throws: HistoryError.self) { try LedgerAudit(configuration).export(to: path) }

        func tampered(_ file: String, _ edit: ([Substring]) -> [Substring]) throws -> [LedgerReport.Problem] {
            let text = try #require(FileText.read("\(path)/\(file)"))
            defer { directory.write(text, to: "export/\(file)") }
            let lines = edit(text.split(separator: "\n"))
            directory.write(lines.map { $0 + "\n" }.joined(), to: "export/\(file)")
            return try LedgerAudit.verify(export: path).problems
        }
        #expect(try tampered("ledger.jsonl") { $0.filter { !$0.contains("\"number\":5}") } }.first?.sequences == at(5))
        #expect(
            try tampered("ledger.jsonl") { $0.dropLast(3).map { $0 } }.contains {
                $0.sequences == base + 42...base + 44
            })
        let edited = try tampered("ledger.jsonl") {
            $0.map { Substring($0.replacing("\"number\":5}", with: "\"number\":7}")) }
        }
        #expect(edited.map(\.sequences) == [at(5)])
        #expect(try !tampered("ledger.jsonl") { [$0[1], $0[0]] + $0.dropFirst(2) }.isEmpty)
        #expect(try tampered("ledger.jsonl") { $0 + ["garbage"] }.contains { $0.sequences == at(45) })
        #expect(try tampered("measurements.jsonl") { $0.dropFirst().map { $0 } }.map(\.sequences) == [at(11)])
        #expect(
            try !tampered("checkpoints.jsonl") {
                $0.map { Substring($0.replacing("ledger\\n\(base + 44)", with: "ledger\\n\(base + 43)")) }
            }.isEmpty)

        #expect(
            try !tampered("ledger.jsonl") {
                $0.map { Substring($0.replacing("\"sequence\":\(base + 40)", with: "\"sequence\":\(Int64.max)")) }
            }.isEmpty)

        var trust = LedgerAudit.Trust()
        trust.publicKeys = [try LedgerAudit(configuration).verify().publicKey]
        report = try LedgerAudit.verify(export: path, trust)
        #expect(report.isIntact)
        trust.publicKeys = ["nonsense"]
        #expect(throws: HistoryError.self) { try LedgerAudit.verify(export: path, trust) }
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
        #expect(
            try ledger.store.rows("SELECT count(*) FROM \(onPostgres ? "sample" : "measurement")") == [[.integer(2)]])
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
        let base = try Ledger(store: store).head().size - 44
        try store.run(
            """
            UPDATE ledger SET subject = 'x' WHERE sequence = \(base + 18);
            UPDATE sample SET value = 7 WHERE batch = \(base + 22)
            """)
        #expect(
            try audit.verify().problems.map(\.sequences)
                == [base + 18...base + 18, base + 22...base + 22])
    }
}
