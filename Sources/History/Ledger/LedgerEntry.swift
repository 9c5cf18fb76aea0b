internal import JSON
internal import TLS

/// An entry of the ledger: an event with its place in it.
///
/// What counts, and is hashed, is ``leaf``: one line of canonical JSON that holds the event, its sequence number and the hash of
/// the entry before. The number makes a moved entry tell on itself; the hash pins down a replaced one, which the tree's root
/// alone could place only between two checkpoints.
public struct LedgerEntry: Equatable, Sendable {
    /// 1 for the first entry.
    public var sequence: Int64
    /// The event.
    public var event: LedgerEvent
    /// The exact text that is hashed.
    public var leaf: String
    /// SHA-256(0x00 ‖ leaf), in hexadecimal.
    public var hash: String
}

/// The columns of an entry as they stand in a database or an export, not yet believed.
struct LedgerRow: Equatable, Sendable {
    var sequence: Int64
    var milliseconds: Int64
    var kind: String
    var subject: String
    var leaf: String
    var hash: [UInt8]

    /// The entry in these columns; an unreadable leaf gives an empty body.
    var entry: LedgerEntry? {
        guard let kind = LedgerEvent.Kind(rawValue: kind) else { return nil }
        let body = LeafContent(leaf)?.body ?? .object([])
        return LedgerEntry(
            sequence: sequence,
            event: LedgerEvent(milliseconds: milliseconds, kind: kind, subject: subject, body: body), leaf: leaf,
            hash: Hexadecimal.text(hash))
    }
}

/// What a leaf says.
struct LeafContent: Equatable, Sendable {
    var milliseconds: Int64
    var kind: String
    var subject: String
    var body: JSON
    var sequence: Int64
    /// The hash of the entry before in hexadecimal; empty in the first entry.
    var previous: String

    init?(_ leaf: String) {
        // A leaf that is no JSON is reported by whoever asked, as altered.
        guard case .some(let json) = try? JSON(parsing: leaf), let milliseconds = json["milliseconds"]?.integer,
            let kind = json["kind"]?.text, let subject = json["subject"]?.text, let body = json["body"],
            let sequence = json["sequence"]?.integer, let previous = json["previous"]?.text
        else { return nil }
        self.milliseconds = milliseconds
        self.kind = kind
        self.subject = subject
        self.body = body
        self.sequence = sequence
        self.previous = previous
    }
}

/// An event on its way into the ledger, its body already canonical.
struct PendingEvent: Equatable, Sendable {
    var milliseconds: Int64
    var kind: String
    var subject: String
    /// Canonical JSON.
    var body: String

    /// Longest body in bytes; a longer one is replaced by its size and hash.
    static let bodyLimit = 1 << 20
    /// Longest subject in bytes; a longer one loses its end.
    static let subjectLimit = 1024

    init(milliseconds: Int64, kind: String, subject: String, body: String) {
        self.milliseconds = milliseconds
        self.kind = kind
        self.subject = subject
        self.body = body
    }

    init(_ event: LedgerEvent) {
        let body = event.body.canonical
        let isShort = body.utf8.count <= Self.bodyLimit
        let stand: JSON = [
            "bytes": .integer(Int64(body.utf8.count)), "omitted": true, "sha256": .string(SHA256.hex(body)),
        ]
        self.init(
            milliseconds: event.milliseconds, kind: event.kind.rawValue, subject: Self.bounded(event.subject),
            body: isShort ? body : stand.canonical)
    }

    private static func bounded(_ text: String) -> String {
        // PostgreSQL keeps no U+0000 in text.
        let text = text.utf8.contains(0) ? text.replacing("\u{0}", with: "\u{fffd}") : text
        guard text.utf8.count > subjectLimit else { return text }
        return String(decoding: text.utf8.prefix(subjectLimit), as: UTF8.self) + "…"
    }

    /// The row of this event as entry `sequence` after an entry with hash `previous` (empty for none).
    func row(sequence: Int64, previous: [UInt8]) -> LedgerRow {
        var writer = JSONWriter(reserving: body.utf8.count + subject.utf8.count + 200)
        // Members in the order of canonical JSON.
        writer.beginObject()
        writer.name("body")
        writer.raw(body)
        writer.name("kind")
        writer.string(kind)
        writer.name("milliseconds")
        writer.integer(milliseconds)
        writer.name("previous")
        writer.string(Hexadecimal.text(previous))
        writer.name("sequence")
        writer.integer(sequence)
        writer.name("subject")
        writer.string(subject)
        writer.endObject()
        return LedgerRow(
            sequence: sequence, milliseconds: milliseconds, kind: kind, subject: subject, leaf: writer.text,
            hash: MerkleTree.hash(leaf: writer.bytes))
    }
}
