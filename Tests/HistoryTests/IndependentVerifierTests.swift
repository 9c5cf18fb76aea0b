import Database
import Glibc
import JSON
import MetricModel
import Runtime
import TestSupport
import Testing

@testable import History

/// The verifier in Python, written from the documentation of the formats.
@Suite(.serialized) struct IndependentVerifierTests {
    private static let script = "Sources/History/Pack/verify.py"

    private func run(_ arguments: [String]) throws -> ChildProcess.Exit {
        try ChildProcess(["python3", Self.script] + arguments, output: .discarded).wait()
    }

    @Test(arguments: EvidenceWorld.kinds) func `exports, proofs and checkpoints agree with Tribune`(
        kind: EvidenceWorld.Kind
    ) throws {
        let world = try EvidenceWorld(kind)
        let ada = LedgerActor(identity: "ada", method: "basic", peer: "192.0.2.1", claimed: "Ada \"É\"")
        let runner = try world.start()
        for number in 1...Int64(300) { runner.record(world.event(number, by: number % 50 == 0 ? ada : nil)) }
        let values: [Double] = [
            1, -0.1, .nan, .infinity, -.infinity, 1e-300, Double.leastNonzeroMagnitude, 123_456_789, -0.0,
        ]
        runner.record(
            measurements: values.enumerated().map { offset, value in
                Measurement(
                    labels: ["__name__": "m", "path": "/\"é\\\n\(offset % 2)"],
                    timestamp: Timestamp(milliseconds: 1_700_000_000_000 + Int64(offset)), value: value)
            })
        let content = Array("x: 1\n".utf8)
        runner.record(
            LedgerEvent(
                milliseconds: 1, kind: .configurationChange, subject: "t.yml",
                body: ["file": BlobReference.json(to: content)],
                blobs: [content]))
        #expect(runner.drain(timeout: 30_000))
        runner.stop()
        let old = try #require(world.memory.largest).note
        #expect(try world.audit.erase("192.0.2.1", reason: "asked", by: .init(method: "unix")) == 6)
        try world.record(301...320)

        let export = world.directory.file("export")
        try world.audit.export(to: export)
        let report = try world.audit.verify()
        #expect(report.problems == [] && report.erased == 6)
        world.directory.write(old, to: "old.note")
        let key = ["--public-key", report.publicKey]
        #expect(try run([export] + key + ["--checkpoint", world.directory.file("old.note")]) == .code(0))
        world.directory.write(try world.audit.prove(77).json.encoded, to: "proof.json")
        #expect(try run(["--proof", world.directory.file("proof.json")] + key) == .code(0))

        // The other verifier also detects every alteration that Tribune detects.
        for (file, old, new) in [
            ("ledger.jsonl", "\"number\":77}", "\"number\":78}"), ("hashes.txt", "\n", "\n00"),
            ("measurements.jsonl", "\"+Inf\"", "\"1\""), ("disclosures.jsonl", "\"text\":\"ada\"", "\"text\":\"eve\""),
            ("checkpoints.jsonl", "test.example/ledger\\n", "test.example/ledger\\n1"),
        ] {
            let text = try #require(FileText.read("\(export)/\(file)"))
            let range = try #require(text.firstRange(of: old), "\(file)")
            world.directory.write(text.replacingCharacters(in: range, with: new), to: "export/\(file)")
            #expect(try !LedgerAudit.verify(export: export).isIntact, "\(file)")
            #expect(try run([export] + key) == .code(1), "\(file)")
            world.directory.write(text, to: "export/\(file)")
        }
        let proof = try #require(FileText.read(world.directory.file("proof.json")))
        world.directory.write(proof.replacing("index 76", with: "index 75"), to: "proof.json")
        #expect(try run(["--proof", world.directory.file("proof.json")] + key) == .code(1))
        #expect(try run([export] + key) == .code(0))
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<String.Index>, with text: String) -> String {
        String(self[..<range.lowerBound]) + text + String(self[range.upperBound...])
    }
}
