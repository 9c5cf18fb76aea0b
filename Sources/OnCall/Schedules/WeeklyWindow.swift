internal import MetricModel
internal import Runtime

/// A part of the week in local time, such as Monday 08:00 to 18:00. A value.
public struct WeeklyWindow: Equatable, Sendable {
    /// 0 for Sunday to 6 for Saturday.
    public let weekday: Int
    /// Minutes after midnight at which it begins, 0..<1440.
    public let start: Int
    /// Its length in minutes, 1...10,080. It may end on a later day.
    public let minutes: Int

    /// A window that begins on `weekday`.
    public init(weekday: Int, start: Int, minutes: Int) {
        self.weekday = weekday
        self.start = start
        self.minutes = minutes
    }

    /// Its occurrences that overlap `from..<until`, as pairs of times.
    func occurrences(from: Timestamp, until: Timestamp, in zone: TimeZone) -> [Range<Timestamp>] {
        let first = zone.civilDay(at: from) - 8
        let last = zone.civilDay(at: until) + 1
        guard first <= last else { return [] }
        // 1970-01-01 was a Thursday.
        let offset = (Int64(weekday) - 4 - first) % 7
        var day = first + (offset < 0 ? offset + 7 : offset)
        var found: [Range<Timestamp>] = []
        while day <= last {
            let local = day * 86_400 + Int64(start) * 60
            let begin = zone.moment(ofLocal: local)
            let end = zone.moment(ofLocal: local + Int64(minutes) * 60)
            if begin < end, begin < until, end > from { found.append(begin..<end) }
            day += 7
        }
        return found
    }
}

extension TimeZone {
    /// Days since 1970-01-01 of the local date.
    func civilDay(at moment: Timestamp) -> Int64 {
        let date = civil(atMilliseconds: moment.milliseconds)
        return RFC3339.daysSinceEpoch(year: Int64(date.year), month: Int64(date.month), day: Int64(date.day))
    }

    /// When local clocks show `local`, in seconds since 1970-01-01 local time.
    func moment(ofLocal local: Int64) -> Timestamp { Timestamp(milliseconds: seconds(ofLocal: local) * 1000) }
}
