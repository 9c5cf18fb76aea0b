import JSON
import Testing

@testable import History

@Suite struct LeafFormatTests {
    private static let first =
        #"{"body":{"$person":"00ff","by":"ada"},"kind":"decision","milliseconds":1,"previous":"","sequence":1,"subject":"s"}"#

    private func row(_ leaf: String) throws -> LedgerRow {
        try #require(LedgerRow(leaf: leaf, hash: MerkleTree.hash(leaf: Array(leaf.utf8))))
    }

    private func problems(_ rows: [LedgerRow], _ texts: [Int64: [Disclosure]] = [:]) -> [String] {
        var verifier = LedgerVerifier(trusted: TrustedKeys())
        for row in rows { verifier.entry(row) }
        verifier.disclosures(texts)
        return verifier.finish().problems.map(\.description)
    }

    @Test func `leaves of the first form verify beside those of today`() throws {
        let old = try row(Self.first)
        let event = PendingEvent(
            LedgerEvent(
                milliseconds: 2, kind: .decision, subject: "s", body: [:],
                actor: LedgerActor(identity: "ada", method: "oidc"), incident: "i", service: "auth"))
        let new = event.row(sequence: 2, previous: old.hash)
        #expect(problems([old, new], [2: event.disclosures]) == [])
        let content = try #require(LeafContent(old.leaf))
        #expect(content.format == 1 && content.incident == "" && content.service == "" && content.actor == nil)
        // A text that looks like a commitment is only a text there.
        #expect(content.commitments == [])
        #expect(old.entry([:])?.event.body["by"]?.text == "ada")
        #expect(LeafContent(new.leaf)?.format == 2 && LeafContent(new.leaf)?.commitments.count == 1)
    }

    @Test func `an altered leaf of the first form, and a form of the future, are found`() throws {
        var old = try row(Self.first)
        old.leaf = old.leaf.replacing("ada", with: "eve")
        #expect(problems([old]) == ["entry 1: its text is not the one that was hashed: altered"])
        let future = Self.first.replacing(#""kind""#, with: #""format":3,"kind""#)
        let row = LedgerRow(
            sequence: 1, milliseconds: 1, kind: "decision", subject: "s", leaf: future,
            hash: MerkleTree.hash(leaf: Array(future.utf8)))
        #expect(problems([row]) == ["entry 1: not an entry"])
    }
}
