internal import JSON
internal import TLS

/// An event to be appended: its body is canonical, its texts about persons are replaced by commitments.
struct PendingEvent: Equatable, Sendable {
    var milliseconds: Int64
    var kind: String
    var subject: String
    /// Canonical JSON.
    var body: String
    /// Canonical JSON; empty for none.
    var actor = ""
    /// Empty for none.
    var incident = ""
    /// Empty for none.
    var service = ""
    /// The salts and texts of the commitments in body and actor.
    var disclosures: [Disclosure] = []
    /// Contents referenced in the body by their SHA-256.
    var blobs: [[UInt8]] = []

    /// The format of new leaves.
    static let format: Int64 = 2
    /// Longest body in bytes. A longer one is replaced by its size and hash.
    static let bodyLimit = 1 << 20
    /// Longest subject, incident or service in bytes. A longer one is cut.
    static let subjectLimit = 1024
    /// Limit of the bytes of blobs in one event; those beyond it are omitted, and their absence is visible in the
    /// audit.
    static let blobLimit = 8 << 20

    init(milliseconds: Int64, kind: String, subject: String, body: String) {
        self.milliseconds = milliseconds
        self.kind = kind
        self.subject = subject
        self.body = body
    }

    init(_ event: LedgerEvent) {
        var disclosures: [Disclosure] = []
        let body = PersonalText.committed(event.body, &disclosures).canonical
        let isShort = body.utf8.count <= Self.bodyLimit
        if !isShort { disclosures = [] }
        let summary: JSON = [
            "bytes": .integer(Int64(body.utf8.count)), "omitted": true, "sha256": .string(SHA256.hex(body)),
        ]
        self.init(
            milliseconds: event.milliseconds, kind: event.kind.rawValue, subject: Self.bounded(event.subject),
            body: isShort ? body : summary.canonical)
        if let actor = event.actor { self.actor = PersonalText.committed(actor.json, &disclosures).canonical }
        incident = Self.bounded(event.incident ?? "")
        service = Self.bounded(event.service ?? "")
        self.disclosures = disclosures
        var room = Self.blobLimit
        for blob in event.blobs where blob.count <= room {
            room -= blob.count
            blobs.append(blob)
        }
    }

    private static func bounded(_ text: String) -> String {
        let text = PersonalText.storable(text)
        guard text.utf8.count > subjectLimit else { return text }
        return String(decoding: text.utf8.prefix(subjectLimit), as: UTF8.self) + "…"
    }

    /// The row of this event as entry `sequence` after an entry with hash `previous` (empty for none).
    func row(sequence: Int64, previous: [UInt8]) -> LedgerRow {
        var writer = JSONWriter(reserving: body.utf8.count + subject.utf8.count + actor.utf8.count + 250)
        // Members in the order of canonical JSON.
        writer.beginObject()
        if !actor.isEmpty {
            writer.name("actor")
            writer.raw(actor)
        }
        writer.name("body")
        writer.raw(body)
        writer.name("format")
        writer.integer(Self.format)
        if !incident.isEmpty { writer.member("incident", incident) }
        writer.member("kind", kind)
        writer.name("milliseconds")
        writer.integer(milliseconds)
        writer.member("previous", Hexadecimal.text(previous))
        writer.name("sequence")
        writer.integer(sequence)
        if !service.isEmpty { writer.member("service", service) }
        writer.member("subject", subject)
        writer.endObject()
        return LedgerRow(
            sequence: sequence, milliseconds: milliseconds, kind: kind, subject: subject, incident: incident,
            service: service, leaf: writer.text, hash: MerkleTree.hash(leaf: writer.bytes))
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: String, _ value: String) {
        self.name(name)
        string(value)
    }
}
