public import MetricModel
public import Runtime

/// A message at fixed times about the pages since the one before. A value.
public struct Digest: Equatable, Sendable {
    /// How often it is sent.
    public enum Period: Equatable, Sendable {
        /// At each full hour.
        case hourly
        /// Every day, so many minutes after local midnight.
        case daily(minute: Int)
        /// Every week: 0 for Sunday to 6 for Saturday.
        case weekly(weekday: Int, minute: Int)
    }

    /// The name that policies use.
    public let name: String
    /// The receiver of the notification configuration that gets it.
    public let receiver: String
    /// The zone of its times.
    public let zone: TimeZone
    /// How often it is sent.
    public let period: Period

    /// A digest.
    public init(name: String, receiver: String, zone: TimeZone, period: Period) {
        self.name = name
        self.receiver = receiver
        self.zone = zone
        self.period = period
    }

    /// The first of its times after `moment`.
    func next(after moment: Timestamp) -> Timestamp {
        search(from: moment, step: 1) { $0 > moment }
    }

    /// The last of its times before `moment`.
    func previous(before moment: Timestamp) -> Timestamp {
        search(from: moment, step: -1) { $0 < moment }
    }

    private func search(from moment: Timestamp, step: Int64, _ fits: (Timestamp) -> Bool) -> Timestamp {
        guard case .hourly = period else {
            let day = zone.civilDay(at: moment)
            // At most a week and the two days around it.
            for distance in 0...9 {
                if let time = time(onDay: day + step * Int64(distance)), fits(time) { return time }
            }
            return moment + .hours(24 * 7) * step
        }
        let hour = moment.milliseconds / 3_600_000
        for distance in 0...1 {
            let time = Timestamp(milliseconds: (hour + step * Int64(distance)) * 3_600_000)
            if fits(time) { return time }
        }
        return moment + .hours(1) * step
    }

    private func time(onDay day: Int64) -> Timestamp? {
        switch period {
        case .hourly: return nil
        case .daily(let minute): return zone.moment(ofLocal: day * 86_400 + Int64(minute) * 60)
        case .weekly(let weekday, let minute):
            // 1970-01-01 was a Thursday.
            guard (day + 4) % 7 == Int64(weekday) else { return nil }
            return zone.moment(ofLocal: day * 86_400 + Int64(minute) * 60)
        }
    }
}

/// The content of a digest: the pages of its policies in a period. A value.
public struct DigestContent: Equatable, Sendable {
    /// The digest.
    public var digest: Digest
    /// The pages that were opened, the oldest first.
    public var entries: [PageBook.Entry]
    /// The first moment after its time.
    public var until: Timestamp
    /// How often it could not be sent.
    public var failures = 0

    /// The most pages that are listed; more are counted.
    public static let listed = 100
    private static let topAlerts = 5

    /// `12 pages, 3 open: Disk 7, Load 5`.
    public var summary: String {
        let open = entries.count { !$0.page.isResolved }
        let names = entries.map { $0.problem.labels["alertname"] ?? $0.problem.title }
        let counts = Dictionary(grouping: names) { $0 }.mapValues(\.count)
        let sorted = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let top = sorted.prefix(Self.topAlerts).map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        let more = sorted.count > Self.topAlerts ? " and \(sorted.count - Self.topAlerts) more" : ""
        return "\(entries.count) pages, \(open) open: \(top)\(more)"
    }
}
