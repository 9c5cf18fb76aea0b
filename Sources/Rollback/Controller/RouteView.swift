/// The state of one route: its last reading, and since when it cannot be read.
public struct RouteView: Hashable, Sendable {
    /// The last reading; `nil` before the first one.
    public var reading: Inspection?
    /// When it was read.
    public var readAt: Instant?
    /// Since when no reading succeeds; `nil` while readings do.
    public var unreadableSince: Instant?
    /// Why the last attempt to read or to write failed; `nil` after one that succeeded.
    public var fault: String?

    /// A route that has not been read.
    public init() {}

    /// How traffic was divided when it was last read; `nil` where it never was, or where neither version got any.
    public var observed: TrafficSplit? { reading?.split }

    mutating func read(_ seen: Inspection, at now: Instant) {
        (reading, readAt, unreadableSince, fault) = (seen, now, nil, nil)
    }

    mutating func unread(_ reason: String, at now: Instant) {
        unreadableSince = unreadableSince ?? now
        fault = reason
    }
}
