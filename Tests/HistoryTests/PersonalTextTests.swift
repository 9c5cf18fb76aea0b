import Database
import JSON
import TestSupport
import Testing

@testable import History

@Suite(.serialized) struct PersonalTextTests {
    private static let kinds = EvidenceWorld.kinds
    private let ada = LedgerActor(identity: "ada@example.com", method: "oidc", peer: "192.0.2.7", claimed: "Ada L.")

    private func world(_ kind: EvidenceWorld.Kind) throws -> EvidenceWorld {
        let world = try EvidenceWorld(kind)
        let runner = try world.start()
        runner.record(world.event(1))
        let body: JSON = ["comment": LedgerEvent.personal("call Grace"), "number": 2]
        runner.record(
            LedgerEvent(
                milliseconds: 2, kind: .silence, subject: "s", body: body, actor: ada, incident: "i-1", service: "auth")
        )
        runner.record(world.event(3, by: ada))
        #expect(runner.drain(timeout: 30_000))
        runner.stop()
        return world
    }

    @Test(arguments: kinds) func `leaves hold commitments, readers see the texts`(kind: EvidenceWorld.Kind) throws {
        let world = try world(kind)
        let entry = try #require(try world.ledger().entries(LedgerQuery(kinds: [.silence])).first)
        #expect(entry.event.body == ["comment": "call Grace", "number": 2])
        #expect(entry.actor?["identity"]?.text == "ada@example.com")
        #expect(entry.actor?["method"]?.text == "oidc")
        #expect(entry.actor?["peer"]?.text == "192.0.2.7")
        #expect(entry.actor?["claimed"]?.text == "Ada L.")
        #expect(entry.event.incident == "i-1" && entry.event.service == "auth")
        for text in ["ada@", "Ada", "192.0.2.7", "Grace"] { #expect(!entry.leaf.contains(text)) }
        #expect(entry.leaf.contains(#""format":2"#) && entry.leaf.contains(#""incident":"i-1""#))
        #expect(try world.ledger().entries(LedgerQuery(service: "auth")).count == 1)
        #expect(try world.ledger().entries(LedgerQuery(incident: "i-2")).count == 0)
        let report = try world.audit.verify()
        #expect(report.problems == [] && report.disclosures == 7)
    }

    @Test(arguments: kinds) func `erasing a person is an entry, and verification still passes`(kind: EvidenceWorld.Kind)
        throws
    {
        let world = try world(kind)
        let before = try world.audit.verify()
        #expect(try world.audit.erase("ada@example.com", reason: "request 7", by: .init(method: "unix")) == 2)
        #expect(try world.audit.erase("ada@example.com", reason: "request 7", by: .init(method: "unix")) == 0)
        let report = try world.audit.verify()
        #expect(report.problems == [])
        #expect(report.erased == 2 && report.disclosures == 5)
        #expect(report.entries == before.entries + 1)
        let entry = try #require(try world.ledger().entries(LedgerQuery(kinds: [.silence])).first)
        #expect(entry.actor?["identity"]?.text == "(erased)")
        #expect(entry.actor?["peer"]?.text == "192.0.2.7")
        let rows = try world.ledger().store.rows("SELECT content FROM disclosure")
        #expect(!rows.contains { $0[0].text.contains("ada@") })
        let export = world.directory.file("export")
        try world.audit.export(to: export)
        let offline = try LedgerAudit.verify(export: export)
        #expect(offline.problems == [] && offline.erased == 2)
    }

    @Test(arguments: kinds) func `a text that was changed, removed or added is found`(kind: EvidenceWorld.Kind) throws {
        for (script, word) in [
            ("UPDATE disclosure SET content = 'Mallory' WHERE content = 'ada@example.com'", "altered"),
            ("DELETE FROM disclosure WHERE content = '192.0.2.7'", "removed"),
            ("UPDATE disclosure SET sequence = sequence + 1 WHERE content = 'call Grace'", "inserted"),
            ("UPDATE ledger SET incident = 'i-2' WHERE incident = 'i-1'", "altered"),
            ("UPDATE ledger SET service = NULL WHERE service = 'auth'", "altered"),
        ] {
            let world = try world(kind)
            try world.configuration.openStore().run(script)
            let problems = try world.audit.verify().problems
            #expect(problems.contains { $0.sequences != nil && $0.message.contains(word) }, "\(script): \(problems)")
        }
    }

    @Test func `a commitment opens with its own salt and text only, and equal texts look different`() throws {
        let first = try #require(Disclosure("Ada"))
        let second = try #require(Disclosure("Ada"))
        #expect(first.isGenuine && first.commitment != second.commitment)
        #expect(!Disclosure(commitment: first.commitment, salt: second.salt, text: "Ada").isGenuine)
        #expect(!Disclosure(commitment: first.commitment, salt: first.salt, text: "Eve").isGenuine)
    }

    @Test func `what only looks like a commitment is not taken for one`() throws {
        var disclosures: [Disclosure] = []
        let hex = String(repeating: "ab", count: 32)
        let json = PersonalText.committed(
            ["labels": ["$person": .string(hex)], "x": ["$personal": "Ada"]], &disclosures)
        #expect(PersonalText.commitments(in: json) == disclosures.map(\.commitment))
        #expect(disclosures.map(\.text) == ["Ada"])
        #expect(json["labels"]?["$$person"]?.text == hex)
    }
}
