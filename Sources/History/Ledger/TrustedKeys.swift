internal import JSON
internal import TLS

/// A statement of a root key: this node key signs checkpoints over sizes in a range.
///
/// ```text
/// tribune-node-key/v1
/// tribune.example/prod                   origin of the ledger
/// tribune.example/prod+5a…+AQ…           the node's key
/// 0                                      first size it may sign
/// -                                      first size it may no longer sign, or - for none
///
/// — tribune.example/prod/root 8c…=       signature of the root key
/// ```
public struct KeyCertificate: Equatable, Sendable {
    /// The ledger.
    public var origin: String
    /// The certified key.
    public var key: NoteVerifier
    /// The first size it may sign.
    public var from: Int64
    /// The first size it may no longer sign; `nil` for no end.
    public var until: Int64?

    private static let header = "tribune-node-key/v1"

    /// A certificate of `key`.
    public init(origin: String, key: NoteVerifier, from: Int64, until: Int64?) {
        self.origin = origin
        self.key = key
        self.from = from
        self.until = until
    }

    var body: String { "\(Self.header)\n\(origin)\n\(key.text)\n\(from)\n\(until.map(String.init) ?? "-")\n" }

    /// The certificate in `note` if `root` signed it.
    public init?(note: String, root: NoteVerifier) {
        guard let body = root.signedBody(of: note) else { return nil }
        let lines = body.split(separator: "\n", omittingEmptySubsequences: false)
        // A malformed key is not a certificate.
        guard lines.count == 6, lines[0] == Self.header, case .some(let key) = try? NoteVerifier(text: lines[2]),
            let from = Int64(lines[3]), from >= 0
        else { return nil }
        let until = Int64(lines[4])
        guard until != nil || lines[4] == "-", key.name == lines[1] else { return nil }
        self.init(origin: String(lines[1]), key: key, from: from, until: until)
    }

    /// Whether the key may sign a checkpoint over `size` entries.
    func covers(_ size: Int64) -> Bool { size >= from && until.map { size < $0 } ?? true }
}

/// The keys whose checkpoints are trusted.
struct TrustedKeys: Equatable, Sendable {
    /// Keys trusted for every size.
    var keys: [NoteVerifier] = []
    /// Keys trusted for a range of sizes.
    var certificates: [KeyCertificate] = []

    /// The checkpoint in `note` if a trusted key signed it.
    func checkpoint(in note: String) -> Checkpoint? {
        for key in keys { if let checkpoint = key.checkpoint(in: note) { return checkpoint } }
        for certificate in certificates {
            if let checkpoint = certificate.key.checkpoint(in: note), certificate.covers(checkpoint.size) {
                return checkpoint
            }
        }
        return nil
    }

    /// The keys as text, one per line.
    var text: String { (keys + certificates.map(\.key)).map(\.text).joined(separator: "\n") }

    /// The name of the ledger of these keys.
    var name: String { (keys.first ?? certificates.first?.key)?.name ?? "" }

    mutating func trust(_ key: NoteVerifier) {
        if !keys.contains(key) { keys.append(key) }
    }
}

/// A key that signs checkpoints of a ledger, as listed in the database. The list proves nothing.
struct NodeKey: Equatable, Sendable {
    /// `name+id+key`.
    var key: String
    /// The node that has the key, according to itself.
    var node: String
    /// The size of the ledger when it was added.
    var firstSize: Int64
    /// The certificate of the root key; empty for none.
    var certificate: String
}
