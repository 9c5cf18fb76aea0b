/// The hours of the day at which each identity is usually active. A machine without a clock.
///
/// An hour is usual if the identity was active in it, or in the hour before or after, within the last 30 days. Nothing
/// is unusual before an identity was seen on 14 days.
public struct UsualHours: Equatable, Sendable {
    private struct Activity: Equatable {
        /// The last day of activity for each hour, in days since the epoch.
        var lastDays = [Int64](repeating: -UsualHours.memoryDays - 1, count: 24)
        var days = 0
        var lastDay: Int64 = -1
    }

    private static let memoryDays: Int64 = 30
    private static let learningDays = 14

    private var identities: [String: Activity] = [:]
    private let capacity: Int

    /// - Parameter capacity: the identities that are remembered; beyond it, one that was not seen for longest is
    ///   forgotten.
    public init(capacity: Int = 10_000) {
        self.capacity = max(capacity, 1)
    }

    /// `identity` is active at `seconds` since the epoch. Returns whether this hour is unusual for it.
    public mutating func used(_ identity: String, at seconds: Int64) -> Bool {
        let (day, second) = seconds.quotientAndRemainder(dividingBy: 86_400)
        guard day >= 0, second >= 0 else { return false }
        let hour = Int(second / 3600)
        if identities[identity] == nil, identities.count >= capacity,
            let oldest = identities.min(by: { $0.value.lastDay < $1.value.lastDay })?.key
        {
            identities[oldest] = nil
        }
        var activity = identities[identity] ?? Activity()
        let isKnown = activity.days >= Self.learningDays
        let isUsual = [hour, (hour + 1) % 24, (hour + 23) % 24].contains {
            activity.lastDays[$0] >= day - Self.memoryDays
        }
        if day != activity.lastDay { activity.days += 1 }
        activity.lastDay = max(day, activity.lastDay)
        activity.lastDays[hour] = max(day, activity.lastDays[hour])
        identities[identity] = activity
        return isKnown && !isUsual
    }
}
