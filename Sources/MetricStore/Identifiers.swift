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
}

/// What became of one appended sample.
public enum AppendOutcome: UInt8, Equatable, Sendable {
    /// It will be visible after the commit.
    case appended
    /// The series already has this value at this time; nothing was done, and nothing is wrong.
    case alreadyPresent
    /// The series already has a different value at this time, which stays.
    case duplicateTimestamp
    /// The series has a newer sample; this one was dropped.
    case outOfOrder
    /// The slot was retired or never given out.
    case unknownSlot
}
