import Foundation
import JSON
import MetricModel
import Runtime
import TestSupport
import Testing

@testable import History

@Suite struct PackArchiveTests {
    /// Unpacked by Python, the archive is the pack, whose proofs are valid, and it leaves nothing behind.
    @Test func theArchiveHoldsThePack() throws {
        let world = try EvidenceWorld(.sqlite)
        let runner = try world.start()
        let content = Array("limit: 0.95\n".utf8)
        let file: JSON = ["path": "/etc/rules.yml", "content": BlobReference.json(to: content)]
        runner.record(
            LedgerEvent(
                milliseconds: 500, kind: .configurationChange, subject: "t.yml", body: ["files": [file]],
                blobs: [content]))
        runner.record(LedgerEvent(milliseconds: 1000, kind: .violation, subject: "Low", body: [:], service: "auth"))
        #expect(runner.drain(timeout: 30_000))
        let scope = EvidenceScope(from: 0, through: .max)
        let archive = try runner.packArchive(scope, named: "evidence")
        let again = try runner.packArchive(scope, named: "evidence")
        runner.stop()
        #expect(archive == again, "the same pack is the same archive")
        #expect(Paths.existing(world.audit.configuration.directory + "/pack-*").isEmpty)

        let path = world.directory.file("pack.zip")
        try Data(archive).write(to: URL(filePath: path))
        let unpacked = world.directory.file("unpacked")
        let test = ["python3", "-m", "zipfile", "-e", path, unpacked]
        #expect(try ChildProcess(test).wait() == .code(0))
        let folder = unpacked + "/evidence"
        let key = try world.audit.verify().publicKey
        let check = ["python3", folder + "/verify.py", "--proofs", folder + "/proofs.jsonl", "--public-key", key]
        #expect(try ChildProcess(check).wait() == .code(0))
        #expect(FileText.read(folder + "/report.html")?.contains("The record is intact.") == true)
        let entry = try #require(try world.ledger().rows(LedgerQuery(kinds: [.configurationChange])).first?.sequence)
        #expect(FileText.read(folder + "/configuration/entry-\(entry)/_etc_rules.yml") == "limit: 0.95\n")
        #expect(FileText.read(folder + "/report.pdf") == nil)
    }

    @Test func oneArchiveIsMadeAtATime() throws {
        let world = try EvidenceWorld(.sqlite)
        let runner = try world.start()
        runner.record(LedgerEvent(milliseconds: 1, kind: .violation, subject: "Low", body: [:]))
        #expect(runner.drain(timeout: 30_000))
        try runner.whilePacking { () throws(HistoryError) in
            let error = #expect(throws: HistoryError.self) {
                try runner.packArchive(.init(from: 0, through: .max), named: "evidence")
            }
            #expect(error?.code == .tooMuch)
            #expect(error?.message == "another evidence pack is being made; retry")
        }
        #expect(try !runner.packArchive(.init(from: 0, through: .max), named: "evidence").isEmpty)
        runner.stop()
    }
}
