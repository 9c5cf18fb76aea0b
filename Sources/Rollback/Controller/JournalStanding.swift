internal import MetricModel

/// A place where a record may be stored.
public enum JournalPlace: Hashable, Sendable {
    /// The journal on the local disk.
    case file
    /// The table of the lease.
    case lease
}

/// A controller's view of its journal: which records it has made, and which of them are stored.
struct JournalStanding: Hashable {
    /// A record that takes longer to be written is a fault.
    static var patience: Milliseconds { .seconds(5) }

    /// The number of the last record.
    private(set) var made: UInt64 = 0
    /// The numbers of the last records stored in each place.
    private var inFile: UInt64 = 0
    private var inLease: UInt64 = 0
    /// Records up to this one belong to a term of the lease that is over.
    private var dropped: UInt64 = 0
    /// Since when a record waits for the local disk; `nil` while none does.
    private(set) var waitingSince: Instant?
    /// Why the local journal cannot be written; `nil` while it can.
    private(set) var fault: String?
    /// Since when it cannot be written, or not in time.
    private(set) var faultSince: Instant?
    /// The key of the notification about it.
    var page: String?
    /// Whether the lease was left to others because of it.
    var hasYielded = false

    /// Whether every record is stored somewhere: the next process knows everything.
    var isStored: Bool { isStored(made) }

    /// Whether the record with this number, or a later one, is stored somewhere.
    func isStored(_ number: UInt64) -> Bool { max(inFile, inLease, dropped) >= number }

    /// Why the local journal does not hold the present state; `nil` if it does, or is about to.
    func trouble(at now: Instant) -> String? {
        if let fault { return fault }
        guard let since = waitingSince, now >= since + Self.patience else { return nil }
        return "the disk does not answer"
    }

    /// Returns the number of a new record.
    mutating func make(at now: Instant) -> UInt64 {
        made &+= 1
        waitingSince = waitingSince ?? now
        return made
    }

    mutating func stored(_ number: UInt64, in place: JournalPlace, at now: Instant) {
        switch place {
        case .lease: inLease = max(inLease, number)
        case .file:
            inFile = max(inFile, number)
            (fault, faultSince) = (nil, nil)
            waitingSince = inFile >= made ? nil : now
        }
    }

    mutating func failed(_ reason: String, at now: Instant) {
        fault = reason
        faultSince = faultSince ?? now
    }

    /// The lease was lost: another node continues from what is stored.
    mutating func drop() { dropped = made }
}

extension JournalStanding {
    /// The same standing, with whether the last record is stored instead of its number.
    func normalised(_ scale: TimeScale) -> JournalStanding {
        var copy = self
        (copy.made, copy.inFile, copy.inLease, copy.dropped) = (1, isStored ? 1 : 0, 0, 0)
        copy.waitingSince = scale.since(waitingSince, within: Self.patience)
        copy.fault = fault.map { _ in "" }
        copy.faultSince = scale.since(faultSince, within: .seconds(30))
        copy.page = page.map { _ in "" }
        return copy
    }
}
