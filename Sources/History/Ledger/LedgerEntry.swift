public import JSON
internal import TLS

/// An entry of the ledger: an event with its position.
///
/// The hash covers ``leaf``: one line of canonical JSON with the event, its sequence number and the hash of the
/// previous entry. The number detects a moved entry; the hash of the predecessor identifies a replaced one, which the
/// root of the tree alone would only place between two checkpoints.
public struct LedgerEntry: Equatable, Sendable {
    /// 1 for the first entry.
    public var sequence: Int64
    /// The event. Erased texts read `(erased)`.
    public var event: LedgerEvent
    /// The actor, as an object of texts; `nil` if none is recorded.
    public var actor: JSON?
    /// The exact text that is hashed.
    public var leaf: String
    /// SHA-256(0x00 ‖ leaf), in hexadecimal.
    public var hash: String
}

/// The columns of an entry as they are in a database or an export, not verified yet.
struct LedgerRow: Equatable, Sendable {
    var sequence: Int64
    var milliseconds: Int64
    var kind: String
    var subject: String
    /// Empty for none.
    var incident = ""
    /// Empty for none.
    var service = ""
    var leaf: String
    var hash: [UInt8]

    /// The entry in these columns; an unreadable leaf gives an empty body.
    ///
    /// - Parameter texts: the texts about persons, by their commitments.
    func entry(_ texts: [[UInt8]: String]) -> LedgerEntry? {
        guard let kind = LedgerEvent.Kind(rawValue: kind) else { return nil }
        let content = LeafContent(leaf)
        let event = LedgerEvent(
            milliseconds: milliseconds, kind: kind, subject: subject,
            body: PersonalText.opened(content?.body ?? .object([]), texts),
            incident: incident.isEmpty ? nil : incident, service: service.isEmpty ? nil : service)
        return LedgerEntry(
            sequence: sequence, event: event, actor: (content?.actor).map { PersonalText.opened($0, texts) },
            leaf: leaf, hash: Hexadecimal.text(hash))
    }
}

/// The content of a leaf, of format 1 or 2.
struct LeafContent: Equatable, Sendable {
    /// 1 if the leaf has none: those leaves contain names as plain text.
    var format: Int64
    var milliseconds: Int64
    var kind: String
    var subject: String
    var incident: String
    var service: String
    var actor: JSON?
    var body: JSON
    var sequence: Int64
    /// The hash of the previous entry in hexadecimal; empty in the first entry.
    var previous: String

    init?(_ leaf: String) {
        // A leaf that is not JSON is reported by the caller, as altered.
        guard case .some(let json) = try? JSON(parsing: leaf), let milliseconds = json["milliseconds"]?.integer,
            let kind = json["kind"]?.text, let subject = json["subject"]?.text, let body = json["body"],
            let sequence = json["sequence"]?.integer, let previous = json["previous"]?.text
        else { return nil }
        format = json["format"]?.integer ?? 1
        guard (1...PendingEvent.format).contains(format) else { return nil }
        self.milliseconds = milliseconds
        self.kind = kind
        self.subject = subject
        self.body = body
        self.sequence = sequence
        self.previous = previous
        incident = json["incident"]?.text ?? ""
        service = json["service"]?.text ?? ""
        actor = json["actor"]
    }

    /// The commitments to texts about persons.
    var commitments: [[UInt8]] {
        format < 2 ? [] : PersonalText.commitments(in: body) + (actor.map(PersonalText.commitments) ?? [])
    }
}
