internal import Database
public import JSON
internal import TLS

/// The proof, for the holder of two checkpoints, that the record of the larger one continues that of the smaller one.
public struct ConsistencyProof: Equatable, Sendable {
    /// Entries of the smaller record.
    public var old: Int64
    /// Entries of the larger record.
    public var size: Int64
    /// The hashes of RFC 6962.
    public var path: [[UInt8]]
    /// The signed note over ``size`` entries; `nil` if there is no note of this size.
    public var checkpoint: String?

    /// The proof as an object of JSON, hashes in base64.
    public var json: JSON {
        [
            "from": .integer(old), "to": .integer(size), "hashes": .array(path.map { .string(Base64.text($0)) }),
            "checkpoint": checkpoint.map(JSON.string) ?? .null,
        ]
    }

    init(old: Int64, size: Int64, path: [[UInt8]], checkpoint: String?) {
        self.old = old
        self.size = size
        self.path = path
        self.checkpoint = checkpoint
    }

    /// Reads the output of ``json``.
    public init(json: JSON) throws(HistoryError) {
        let fault = HistoryError(.malformed, "the response has no proof: it needs \"from\", \"to\" and \"hashes\"")
        guard let old = json["from"]?.integer, let size = json["to"]?.integer, let hashes = json["hashes"]?.elements
        else { throw fault }
        var path: [[UInt8]] = []
        for element in hashes {
            guard let hash = element.text.flatMap({ Base64.bytes($0) }), hash.count == SHA256.byteCount else {
                throw fault
            }
            path.append(hash)
        }
        self.init(old: old, size: size, path: path, checkpoint: json["checkpoint"]?.text)
    }
}

extension Ledger {
    /// The newest signed note; an error where there is none yet.
    func requiredNote() throws(HistoryError) -> String {
        guard let note = try newestNote() else { throw HistoryError(.notFound, "there is no checkpoint yet") }
        return note
    }

    /// The proof that the record of `size` entries, or that of the newest checkpoint, continues the one of `old`
    /// entries.
    func consistency(from old: Int64, to size: Int64?) throws(HistoryError) -> ConsistencyProof {
        var end: Int64
        var note: String?
        if let size {
            end = size
            note = try store.rows("SELECT note FROM checkpoint WHERE size = $1", [.integer(size)]).first?.first?.text
        } else {
            let newest = try requiredNote()
            end = try LedgerAudit.sized([newest])[0].size
            note = newest
        }
        guard old >= 0, old <= end, end <= (try head().size) else {
            throw HistoryError(.notFound, "the ledger has no record of \(end) entries that continues one of \(old)")
        }
        return ConsistencyProof(
            old: old, size: end, path: try merkleReader().consistency(from: old, to: end), checkpoint: note)
    }
}

extension LedgerAudit {
    /// The number of entries that a signed note covers.
    public static func size(of note: String) throws(HistoryError) -> Int64 { try sized([note])[0].size }

    /// Why the record of another server is not an extension of the one in `old`; `nil` if it is. Needs no database.
    ///
    /// - Parameters:
    ///   - proof: the server's proof from the size of `old` to its newest checkpoint.
    ///   - old: a checkpoint received earlier; `nil` to check only the signature of the newest one.
    public func check(
        _ proof: ConsistencyProof, since old: String?, _ trust: Trust = Trust()
    ) throws(HistoryError) -> LedgerReport.Problem? {
        let trusted = try trustedKeys(trust, nil)
        guard let note = proof.checkpoint, let newest = trusted.checkpoint(in: note), newest.size == proof.size else {
            return .init(message: "the newest checkpoint was not signed by \(trusted.name)")
        }
        guard let old else { return nil }
        guard let known = trusted.checkpoint(in: old) else {
            return .init(message: "the checkpoint to compare with was not signed by \(trusted.name)")
        }
        if known.size > newest.size {
            return .init(
                sequences: newest.size + 1...known.size, message: "removed: a signed checkpoint covers them")
        }
        let isConsistent =
            proof.old == known.size
            && MerkleProof.isConsistent(known.size, known.root, with: newest.size, newest.root, path: proof.path)
        if isConsistent { return nil }
        return .init(
            sequences: min(1, known.size)...known.size,
            message: "the record over \(newest.size) entries does not continue the one of the checkpoint: replaced")
    }
}
