import Database
import Glibc
import Instrumentation
import JSON
import MetricModel
import Runtime
import TLS
import TestSupport
import Testing

@testable import History

/// Records that were shortened, forked or signed by another key.
@Suite(.serialized) struct ContinuityTests {
    private static let kinds = EvidenceWorld.kinds
    private let person = LedgerActor(identity: "ada", method: "unix")

    @Test(arguments: kinds) func `an older copy of the database is healed from the spool`(kind: EvidenceWorld.Kind)
        throws
    {
        let world = try EvidenceWorld(kind)
        try world.record(1...40)
        try world.copyDatabase()
        let note = try world.record(41...90)
        let size = try world.size()
        try world.restoreDatabase()
        #expect(try world.size() == size - 50)
        try world.record(91...95)
        #expect(try world.numbers() == Array(1...95))
        #expect(try world.audit.verify(.init(checkpoints: [note])).problems == [])
    }

    @Test(arguments: kinds)
    func `an older copy that the spool cannot heal halts delivery until a person acknowledges the gap`(
        kind: EvidenceWorld.Kind
    ) throws {
        let world = try EvidenceWorld(kind)
        try world.record(1...40)
        try world.copyDatabase()
        let note = try world.record(41...90)
        let size = try world.size()
        try world.restoreDatabase()
        #expect(try ChildProcess(["rm", "-r", world.configuration.spoolPath]).wait() == .code(0))
        #expect(
            try world.audit.verify().problems.map(\.description)
                == ["entries \(size - 49)-\(size): removed: a signed checkpoint covers them"])

        let runner = try world.start()
        runner.record(world.event(91))
        #expect(Loopback.eventually { runner.status.halt != nil })
        #expect(runner.status.halt?.contains("entries \(size - 49)-\(size) are missing") == true)
        #expect(runner.status.isBehind)
        #expect(try world.size() == size - 50, "nothing is written to a shortened record")

        let gap = try world.audit.acknowledgeGap(reason: "disk lost", by: person)
        #expect(gap.entry == size - 49)
        #expect(runner.drain(timeout: 30_000))
        #expect(runner.status.halt == nil)
        runner.stop()
        let report = try world.audit.verify()
        #expect(report.problems == [])
        #expect(report.gaps == [size - 49])
        #expect(try world.numbers() == Array(1...40) + [91])
        // A holder of the old checkpoint still detects it.
        #expect(
            try world.audit.verify(.init(checkpoints: [note])).problems.contains {
                $0.sequences?.upperBound == size && $0.message.contains("a signed checkpoint covers them")
            })
        #expect(throws: HistoryError.self, "there is no second gap") {
            try world.audit.acknowledgeGap(reason: "again", by: person)
        }
    }

    @Test(arguments: kinds) func `a removed database is no new record`(kind: EvidenceWorld.Kind) throws {
        let world = try EvidenceWorld(kind)
        try world.record(1...10)
        let size = try world.size()
        try world.removeDatabase()
        let runner = try world.start()
        runner.record(world.event(11))
        #expect(Loopback.eventually { runner.status.halt?.contains("holds 0 entries") == true })
        #expect(try world.configuration.openStore().hasTable("ledger") == false)
        let gap = try world.audit.acknowledgeGap(reason: "moved to a new server", by: person)
        #expect(gap.description == "entries lost: from 1 through \(size)")
        #expect(runner.drain(timeout: 30_000))
        runner.stop()
        #expect(try world.audit.verify().isIntact)
        #expect(try world.numbers() == [11])
    }

    /// An attacker with the key and the database writes another history of the same length.
    @Test(arguments: kinds) func `a forged record is found by whoever kept a checkpoint`(kind: EvidenceWorld.Kind)
        throws
    {
        let world = try EvidenceWorld(kind)
        let note = try world.record(1...20)
        let size = try world.size()
        try world.removeDatabase()
        // The attacker also removes what the node remembers, but not what others have received.
        unlink(world.configuration.directory + "/checkpoint")
        var forger = world.configuration
        forger.directory = world.directory.file("forger")
        mkdir(forger.directory, 0o700)
        let key = try #require(FileText.read(world.memory.keyPath))
        world.directory.write(key, to: "forger/signing-key.pem")
        if kind == .sqlite { forger.database = .sqlite(path: world.configuration.directory + "/history.db") }
        let runner = try world.start(forger)
        for number in 101...Int64(120) { runner.record(world.event(number)) }
        #expect(runner.drain(timeout: 30_000))
        runner.stop()
        #expect(try world.size() == size)
        #expect(try world.audit.verify().isIntact, "the record is consistent with itself")
        let problems = try world.audit.verify(.init(checkpoints: [note])).problems
        #expect(problems.first?.sequences == 1...size, "\(problems)")
        #expect(problems.first?.message.contains("another root than was signed") == true)
        // A node that remembers the checkpoint does not continue.
        try world.memory.replace(by: note)
        let honest = try world.start()
        #expect(Loopback.eventually { honest.status.halt?.contains("entries 1-\(size) were replaced") == true })
        honest.stop()
        let gap = try world.audit.acknowledgeGap(reason: "forged by an intruder", by: person)
        #expect(gap.entry == size + 1)
    }

    @Test(arguments: kinds) func `a missing key is never replaced silently`(kind: EvidenceWorld.Kind) throws {
        let world = try EvidenceWorld(kind)
        try world.record(1...10)
        let key = try #require(FileText.read(world.memory.keyPath))
        unlink(world.memory.keyPath)
        let runner = try world.start()
        runner.record(world.event(11))
        #expect(Loopback.eventually { runner.status.halt?.contains("signing-key.pem is missing") == true })
        #expect(FileText.read(world.memory.keyPath) == nil)
        world.directory.write(key, to: "history/signing-key.pem")
        #expect(runner.drain(timeout: 30_000), "the key is back")
        runner.stop()
        #expect(try world.audit.verify().isIntact)

        unlink(world.memory.keyPath)
        _ = try world.audit.acknowledgeGap(reason: "the key is lost", by: person)
        try world.record(12...13)
        #expect(try world.numbers() == Array(1...13))
        let problems = try world.audit.verify().problems
        #expect(!problems.isEmpty && problems.allSatisfy { $0.message.contains("was not signed by") })
    }

    @Test(arguments: kinds) func `a swapped key is found`(kind: EvidenceWorld.Kind) throws {
        let world = try EvidenceWorld(kind)
        let trusted = try {
            try world.record(1...10); return try world.audit.verify().publicKey
        }()
        unlink(world.memory.keyPath)
        _ = try SigningKeyFile.create(world.memory.keyPath)
        let runner = try world.start()
        #expect(Loopback.eventually { runner.status.halt?.contains("other keys than this node's") == true })
        runner.stop()
        #expect(!(try world.audit.verify().isIntact), "the checkpoints are not those of the new key")
        #expect(try world.audit.verify(.init(publicKeys: [trusted])).isIntact)
    }

    @Test(.enabled(if: PostgresServer.programDirectory != nil), arguments: [false, true])
    func `two nodes write one record, and it verifies on both and offline`(isCertified: Bool) throws {
        let world = try EvidenceWorld(.postgres)
        let root = NoteSigner(name: EvidenceWorld.origin + "/root", key: try .generate())
        var nodes: [HistoryConfiguration] = []
        for name in ["a", "b"] {
            var node = world.configuration
            node.directory = world.directory.file(name)
            node.node = name
            node.waitsForTurn = true
            node.admitsNodes = true
            node.observationInterval = .milliseconds(20)
            if isCertified {
                mkdir(node.directory, 0o700)
                let key = try SigningKeyFile.create(NodeMemory(directory: node.directory).keyPath)
                let verifier = NoteVerifier(name: EvidenceWorld.origin, key: key.verificationKey)
                let certificate = KeyCertificate(origin: EvidenceWorld.origin, key: verifier, from: 0, until: nil)
                node.rootKey = root.verifier
                node.certificate = try root.note(body: certificate.body)
            }
            nodes.append(node)
        }
        let a = try world.start(nodes[0])
        let b = try world.start(nodes[1])
        // Each leads in turn while both record.
        for round in 0..<6 {
            let (leader, other) = round % 2 == 0 ? (a, b) : (b, a)
            other.turnChanged(isOurs: false)
            leader.turnChanged(isOurs: true)
            for number in 1...Int64(20) { leader.record(world.event(Int64(round) * 20 + number)) }
            #expect(leader.drain(timeout: 30_000), "\(leader.status)")
        }
        #expect(
            Loopback.eventually { NodeMemory(directory: nodes[0].directory).trustedKeys.count == (isCertified ? 0 : 1) }
        )
        a.stop()
        b.stop()
        #expect(try world.numbers().sorted() == Array(1...120))
        var keys: [String] = []
        for node in nodes {
            let report = try LedgerAudit(node).verify()
            #expect(report.problems == [])
            keys.append(String(report.publicKey.split(separator: "\n")[0]))
        }
        let export = world.directory.file("export")
        try LedgerAudit(nodes[0]).export(to: export)
        #expect(try LedgerAudit.verify(export: export).problems == [])
        #expect(try !LedgerAudit.verify(export: export, .init(publicKeys: [keys[0]])).isIntact, "one key is not enough")
        if isCertified {
            #expect(try LedgerAudit.verify(export: export, .init(rootKey: root.verifier.text)).problems == [])
            let other = NoteSigner(name: "x", key: try .generate()).verifier.text
            #expect(try !LedgerAudit.verify(export: export, .init(rootKey: other)).isIntact)
        } else {
            #expect(Set(keys).count == 2)
            #expect(try LedgerAudit.verify(export: export, .init(publicKeys: keys)).problems == [])
        }
    }

    @Test func `a node that the root key has not certified does not write`() throws {
        let world = try EvidenceWorld(.sqlite)
        world.configuration.rootKey = NoteSigner(name: "root", key: try .generate()).verifier
        let runner = try world.start()
        #expect(Loopback.eventually { runner.status.halt?.contains("has not certified") == true })
        runner.stop()
    }

    @Test func `a certificate counts for its sizes only`() throws {
        let root = NoteSigner(name: "log/root", key: try .generate())
        let node = NoteSigner(name: "log", key: try .generate())
        let text = KeyCertificate(origin: "log", key: node.verifier, from: 5, until: 8)
        let note = try root.note(body: text.body)
        let read = try #require(KeyCertificate(note: note, root: root.verifier))
        #expect(read == text)
        #expect(KeyCertificate(note: note.replacing("\n5\n", with: "\n4\n"), root: root.verifier) == nil)
        #expect(KeyCertificate(note: try node.note(body: text.body), root: root.verifier) == nil)
        let trusted = TrustedKeys(certificates: [read])
        func isBelieved(_ size: Int64) throws -> Bool {
            let checkpoint = Checkpoint(origin: "log", size: size, root: SHA256.hash("x"))
            return trusted.checkpoint(in: try node.note(checkpoint)) == checkpoint
        }
        #expect(try (3...9).map(isBelieved) == [false, false, true, true, true, false, false])
    }
}
