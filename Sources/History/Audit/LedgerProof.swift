internal import Database
public import JSON
internal import TLS

/// The proof, for the holder of a checkpoint's key, that an entry is in the record.
public struct LedgerProof: Equatable, Sendable {
    /// The exact text of the entry.
    public var leaf: String
    /// The entry's index, from 0.
    public var index: Int64
    /// The path from the leaf to the root.
    public var path: [[UInt8]]
    /// The signed note with the root.
    public var checkpoint: String
    /// The texts about persons in the entry, with the salts of their commitments.
    var disclosures: [Disclosure] = []

    /// The proof as C2SP tlog-proof text.
    public var text: String {
        let hashes = path.map { Base64.text($0) + "\n" }.joined()
        return "c2sp.org/tlog-proof@v1\nindex \(index)\n\(hashes)\n\(checkpoint)"
    }

    /// The proof with its leaf as JSON.
    public var json: JSON {
        [
            "disclosures": .array(
                disclosures.map {
                    [
                        "commitment": .string(Hexadecimal.text($0.commitment)),
                        "salt": .string(Hexadecimal.text($0.salt)), "text": .string($0.text),
                    ]
                }), "leaf": .string(leaf), "proof": .string(text),
        ]
    }

    init(leaf: String, index: Int64, path: [[UInt8]], checkpoint: String, disclosures: [Disclosure] = []) {
        self.leaf = leaf
        self.index = index
        self.path = path
        self.checkpoint = checkpoint
        self.disclosures = disclosures
    }

    /// Reads the output of ``json``.
    public init(json: JSON) throws(HistoryError) {
        let fault = HistoryError(.malformed, "the file has no proof: it needs \"leaf\" and \"proof\"")
        guard let leaf = json["leaf"]?.text, let text = json["proof"]?.text else { throw fault }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count > 3, lines[0] == "c2sp.org/tlog-proof@v1", lines[1].hasPrefix("index "),
            let index = Int64(lines[1].dropFirst(6)), (0..<Int64.max).contains(index),
            let blank = lines.firstIndex(of: "")
        else { throw fault }
        var path: [[UInt8]] = []
        for line in lines[2..<blank] {
            guard let hash = Base64.bytes(line), hash.count == SHA256.byteCount else { throw fault }
            path.append(hash)
        }
        let checkpoint = lines[(blank + 1)...].joined(separator: "\n")
        self.init(leaf: leaf, index: index, path: path, checkpoint: checkpoint)
        for element in json["disclosures"]?.elements ?? [] {
            guard let commitment = element["commitment"]?.text.flatMap({ Hexadecimal.bytes($0) }),
                let salt = element["salt"]?.text.flatMap({ Hexadecimal.bytes($0) }), let text = element["text"]?.text
            else { throw fault }
            disclosures.append(Disclosure(commitment: commitment, salt: salt, text: text))
        }
    }

    /// Why the proof is invalid; `nil` if it is valid.
    func problem(_ trusted: TrustedKeys) -> String? {
        guard let checkpoint = trusted.checkpoint(in: checkpoint) else {
            return "its checkpoint was not signed by a trusted key"
        }
        guard LeafContent(leaf)?.sequence == index + 1 else { return "its entry has another number" }
        let hash = MerkleTree.hash(leaf: Array(leaf.utf8))
        guard MerkleProof.isIncluded(hash, at: index, in: checkpoint.size, root: checkpoint.root, path: path) else {
            return "its entry is not in the record of the checkpoint"
        }
        let commitments = LeafContent(leaf)?.commitments ?? []
        guard disclosures.allSatisfy({ $0.isGenuine && commitments.contains($0.commitment) }) else {
            return "a text about a person is not the one that was recorded"
        }
        return nil
    }
}

extension Ledger {
    /// The proof that entry `sequence` is in the record of the newest checkpoint, or of `note`.
    func proof(of sequence: Int64, in note: String? = nil) throws(HistoryError) -> LedgerProof {
        guard let row = try rows(after: sequence - 1, limit: 1).first, row.sequence == sequence else {
            throw HistoryError(.notFound, "the ledger has no entry \(sequence)")
        }
        let note = if let note { note } else { try requiredNote() }
        let size = try LedgerAudit.size(of: note)
        guard sequence <= size else {
            throw HistoryError(.notFound, "entry \(sequence) is newer than the checkpoint over \(size) entries")
        }
        return LedgerProof(
            leaf: row.leaf, index: sequence - 1,
            path: try merkleReader().inclusion(of: sequence - 1, in: size),
            checkpoint: note, disclosures: try disclosures(of: sequence...sequence)[sequence] ?? [])
    }
}

extension LedgerAudit {
    /// The proof that entry `sequence` is in the record of the newest checkpoint, or of `checkpoint`.
    public func prove(_ sequence: Int64, checkpoint: String? = nil) throws(HistoryError) -> LedgerProof {
        try openLedger().proof(of: sequence, in: checkpoint)
    }

    /// Why a proof is invalid; `nil` if it is valid. Needs no database.
    public func check(_ proof: LedgerProof, _ trust: Trust = Trust()) throws(HistoryError) -> String? {
        proof.problem(try trustedKeys(trust, nil))
    }
}
