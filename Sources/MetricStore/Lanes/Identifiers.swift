/// Names a lane as long as the store lives; never reused.
public struct LaneID: Hashable, Sendable {
    /// Counts up from 0 in the order of creation.
    public let rawValue: UInt32

    init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }
}

/// Where a lane keeps one of its series. Has a meaning only for that lane, and only until it is retired.
public struct RingSlot: Hashable, Sendable {
    let rawValue: UInt32

    init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }

    init(block: Int, column: Int) {
        rawValue = UInt32(block << 8 | column)
    }

    /// How many slots of the lane come before this one: numbers from 0 on without large gaps, for tables by slot.
    public var ordinal: Int { ActiveChunk.position(of: self) }

    var block: Int { Int(rawValue >> 8) }
    var column: Int { Int(rawValue & 0xff) }

    /// The slot so many columns on in its block.
    static func + (slot: RingSlot, columns: Int) -> RingSlot {
        RingSlot(block: slot.block, column: slot.column + columns)
    }
}

/// The outcome of appending one sample.
public enum AppendOutcome: UInt8, Equatable, Sendable {
    /// It will be visible after the commit.
    case appended
    /// The series already has this value at this time; nothing was done, and nothing is wrong.
    case alreadyPresent
    /// The series already has a different value at this time, which stays.
    case duplicateTimestamp
    /// The series has a newer sample; this one was dropped.
    case outOfOrder
    /// The time lies more than 285,000 years from the epoch.
    case outOfBounds
    /// The slot was retired or never given out, or there was no memory for what the sample needs.
    case unknownSlot
}
