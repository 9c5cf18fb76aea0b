/// Identifies a lane for the lifetime of the store; never reused.
public struct LaneID: Hashable, Sendable {
    /// Increases from 0 in order of creation.
    public let rawValue: UInt32

    init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }
}

/// The position of a series in its lane. Valid only for that lane, until the slot is retired.
public struct RingSlot: Hashable, Sendable {
    let rawValue: UInt32

    init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }

    init(block: Int, column: Int) {
        rawValue = UInt32(block << 8 | column)
    }

    /// The number of slots of the lane before this one, for tables by slot. Numbers start at 0 without large gaps.
    public var ordinal: Int { ActiveChunk.position(of: self) }

    var block: Int { Int(rawValue >> 8) }
    var column: Int { Int(rawValue & 0xff) }

    /// The slot that many columns further in its block.
    static func + (slot: RingSlot, columns: Int) -> RingSlot {
        RingSlot(block: slot.block, column: slot.column + columns)
    }
}

/// The result of appending one sample.
public enum AppendOutcome: UInt8, Equatable, Sendable {
    /// It will be visible after the commit.
    case appended
    /// It will be visible after the commit, although the series has a newer sample.
    case appendedOutOfOrder
    /// The series already has this value at this time. Nothing was changed; not an error.
    case alreadyPresent
    /// The series already has a different value at this time, which is kept.
    case duplicateTimestamp
    /// The series has a newer sample. This one was dropped.
    case outOfOrder
    /// The series has a newer sample, and this one is older than the window for such samples. It was dropped.
    case tooOld
    /// The time is more than 285,000 years from the epoch.
    case outOfBounds
    /// The slot was retired or never assigned, or there was no memory for the sample.
    case unknownSlot

    /// Whether the sample was dropped and is not in the store.
    public var isRefused: Bool {
        switch self {
        case .appended, .appendedOutOfOrder, .alreadyPresent: false
        case .duplicateTimestamp, .outOfOrder, .tooOld, .outOfBounds, .unknownSlot: true
        }
    }
}
