import Database
import Glibc
import JSON
import MetricModel
import Runtime
import TestSupport
import Testing

@testable import History

@Suite(.serialized) struct LedgerBackupTests {
    private static let day: Int64 = 86_400_000

    private static func measure(_ runner: HistoryRunner, _ number: Int64) {
        runner.record(measurements: [
            Measurement(
                labels: ["__name__": "m", "service": "auth"],
                timestamp: .init(milliseconds: 1_700_000_000_000 + number),
                value: Double(number))
        ])
    }

    /// A fresh database of `kind` with the origin of all worlds.
    private func target(_ kind: EvidenceWorld.Kind) throws -> EvidenceWorld { try EvidenceWorld(kind) }

    @Test(arguments: EvidenceWorld.kinds) func `a base and three increments of a database in use are restored`(
        kind: EvidenceWorld.Kind
    ) throws {
        let world = try EvidenceWorld(kind)
        let directory = world.directory.file("backups")
        let runner = try world.start()
        let ending = Mailbox<Void>(capacity: 1)
        // The history is written all the time.
        let load = try WorkerThread("load") {
            var number: Int64 = 0
            while case .timedOut = ending.receive(deadline: SystemClock.monotonicNanoseconds() + 1_000_000) {
                number += 1
                runner.record(
                    LedgerEvent(
                        milliseconds: number, kind: .decision, subject: "rule", body: ["number": .integer(number)],
                        actor: LedgerActor(identity: "ada", method: "oidc")))
                Self.measure(runner, number)
            }
        }
        var backups: [LedgerBackup] = []
        for _ in 0..<4 {
            let last = backups.last?.through ?? 5
            #expect(Loopback.eventually(within: 30) { runner.status.size > last + 20 })
            backups.append(try #require(try world.audit.backup(to: directory)))
        }
        ending.close()
        load.join()
        runner.record(
            LedgerEvent(
                milliseconds: 1, kind: .configurationChange, subject: "t.yml",
                body: ["file": BlobReference.json(to: Array("x: 1\n".utf8))], blobs: [Array("x: 1\n".utf8)]))
        #expect(runner.drain(timeout: 30_000))
        runner.stop()
        #expect(backups.map(\.parent) == [nil] + backups.dropLast().map(\.name))
        #expect(backups.dropFirst().map(\.from) == backups.dropLast().map(\.through))
        #expect(try LedgerBackup.all(in: directory) == backups)
        #expect(try world.audit.erase("ada", reason: "asked", by: .init(method: "unix")) > 0)
        backups.append(try #require(try world.audit.backup(to: directory)))
        #expect(try world.audit.backup(to: directory) == nil)

        // Into a database of the other kind as well: the files know no database.
        for other in EvidenceWorld.kinds {
            let restored = try target(other)
            var trust = LedgerAudit.Trust()
            trust.publicKeys = [try world.audit.verify().publicKey]
            let report = try restored.audit.restore(from: directory, trust)
            #expect(report.problems == [], "\(other)")
            #expect(report.entries == backups.last?.through && report.signedEntries == report.entries)
            #expect(report.root == backups.last?.root)
            let (ledger, former) = (try restored.ledger(), try world.ledger())
            #expect(try ledger.head().nextSeries == former.head().nextSeries)
            #expect(try ledger.head().tree == former.head().tree)
            #expect(try restored.numbers() == world.numbers())
            #expect(try ledger.store.rows("SELECT count(*) FROM disclosure WHERE content = 'ada'") == [[.integer(0)]])
            #expect(
                try ledger.store.rows("SELECT CAST(sum(samples) AS BIGINT) FROM measurement_hour")
                    == ledger.store.rows("SELECT count(*) FROM measurements"))
            try restored.audit.verifySchema()
            #expect { try restored.audit.restore(from: directory) } throws: {
                "\($0)".contains("holds a ledger already")
            }
        }
        // An earlier day.
        let earlier = try target(.sqlite)
        let report = try earlier.audit.restore(from: directory, backup: backups[1].name)
        #expect(report.problems == [] && report.entries == backups[1].through)
    }

    @Test(arguments: EvidenceWorld.kinds) func `a node goes on with its restored database`(
        kind: EvidenceWorld.Kind
    ) throws {
        let world = try EvidenceWorld(kind)
        try world.record(1...5)
        let directory = world.directory.file("backups")
        _ = try world.audit.backup(to: directory)
        try world.record(6...8)
        try world.removeDatabase()
        #expect(try world.audit.restore(from: directory).problems.map(\.message) != [], "the node knows of more")
        // Entries missing in the backup come from the node's spool.
        try world.record(9...9)
        #expect(try world.numbers() == Array(1...9))
        #expect(try world.audit.verify().problems == [])
    }

    @Test(arguments: [
        ("ledger.jsonl", "\"number\":2}", "\"number\":3}"), ("ledger.jsonl", "\n", ""),
        ("measurements.jsonl", "\"value\":\"1\"", "\"value\":\"2\""), ("backup.json", "\"through\":", "\"through\":1"),
        ("disclosures.jsonl", "\"text\":\"ada\"", "\"text\":\"eve\""),
    ]) func `an altered backup is found`(file: String, old: String, new: String) throws {
        let world = try EvidenceWorld(.sqlite)
        let runner = try world.start()
        for number in 1...Int64(3) { runner.record(world.event(number, by: .init(identity: "ada", method: "oidc"))) }
        Self.measure(runner, 1)
        #expect(runner.drain(timeout: 30_000))
        runner.stop()
        let directory = world.directory.file("backups")
        let backup = try #require(try world.audit.backup(to: directory))
        let path = "\(directory)/\(backup.name)/\(file)"
        let text = try #require(FileText.read(path))
        let range = try #require(text.firstRange(of: old))
        let changed = String(text[..<range.lowerBound]) + new + String(text[range.upperBound...])
        #expect(FileText.write(changed, to: path))
        let target = try target(.sqlite)
        do throws(HistoryError) {
            let report = try target.audit.restore(from: directory)
            #expect(!report.isIntact)
        } catch {
            #expect(error.code == .malformed, "\(error)")
        }
    }

    @Test func `the archive makes bases and increments and drops what no kept backup needs`() throws {
        let world = try EvidenceWorld(.sqlite)
        let directory = world.directory.file("backups")
        let start = SystemClock.wallMilliseconds()
        func archive(_ day: Int64) throws -> LedgerAudit.ArchiveResult {
            try world.record(day...day)
            return try world.audit.archive(
                in: directory, keeping: 90 * Self.day, baseAfter: 30 * Self.day, now: start + day * Self.day)
        }
        #expect(try archive(0).added?.parent == nil)
        let second = try archive(1)
        #expect(second.added?.parent != nil && second.removed == [])
        #expect(try archive(31).added?.parent == nil)
        #expect(
            try world.audit.archive(
                in: directory, keeping: Self.day, baseAfter: 30 * Self.day, now: start + 31 * Self.day
            ).added == nil,
            "nothing new")
        let all = try LedgerBackup.all(in: directory)
        let late = try archive(200)
        #expect(late.added?.parent == nil)
        #expect(late.removed == all.map(\.name))
        #expect(try LedgerBackup.all(in: directory).map(\.name) == [late.added?.name])
    }

    @Test func `a backup whose base is missing, or of another ledger, is refused`() throws {
        let world = try EvidenceWorld(.sqlite)
        let directory = world.directory.file("backups")
        try world.record(1...2)
        let base = try #require(try world.audit.backup(to: directory))
        try world.record(3...4)
        _ = try world.audit.backup(to: directory)
        try HistoryFile.removeDirectory("\(directory)/\(base.name)")
        let target = try target(.sqlite)
        #expect { try target.audit.restore(from: directory) } throws: { "\($0)".contains("missing") }
        var other = target.configuration
        other.origin = "other"
        #expect { try LedgerAudit(other).restore(from: directory) } throws: { "\($0)".contains("\"other\"") }
        #expect { try target.audit.restore(from: directory, backup: "base-1") } throws: { "\($0)".contains("base-1") }
        // A database that was replaced is no increment of the old one.
        try world.removeDatabase()
        unlink("\(world.configuration.directory)/checkpoint")
        try world.record(11...30)
        #expect { try world.audit.backup(to: directory) } throws: { "\($0)".contains("--full") }
        #expect(try world.audit.backup(to: directory, isBase: true)?.parent == nil)
    }
}
