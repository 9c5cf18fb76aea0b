/// Some events of the history, newest first.
public struct EventPage: Equatable, Sendable {
    /// The source of events.
    public enum Source: String, Sendable {
        /// The ledger in the database.
        case database
        /// The spool of this node. Its events have neither a number nor a hash yet.
        case spool
    }

    /// The source of the events.
    public var source: Source
    /// The events.
    public var entries: [LedgerEntry]
    /// The cursor of older events; `nil` after the oldest one.
    public var next: EventCursor?

    /// A page.
    public init(source: Source, entries: [LedgerEntry], next: EventCursor? = nil) {
        self.source = source
        self.entries = entries
        self.next = next
    }
}

/// The position in the history at which a page of events ended.
public enum EventCursor: Equatable, Sendable {
    /// The events before this entry of the ledger.
    case entry(Int64)
    /// The events before this record of the spool.
    case record(UInt64)

    /// Reads ``text``; `nil` if it is invalid.
    public init?(_ text: String) {
        let number = text.dropFirst()
        guard number.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        switch text.first {
        case "e": if let entry = Int64(number), entry > 0 { self = .entry(entry) } else { return nil }
        case "r": if let record = UInt64(number), record > 0 { self = .record(record) } else { return nil }
        default: return nil
        }
    }

    /// The cursor for a URL.
    public var text: String {
        switch self {
        case .entry(let entry): "e\(entry)"
        case .record(let record): "r\(record)"
        }
    }
}
