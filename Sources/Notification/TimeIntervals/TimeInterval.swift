public import MetricModel
public import Runtime

/// Recurring times: office hours, weekends, the last days of a month. Alertmanager's `time_intervals` consist of these.
///
/// A time is in the interval if it satisfies every given condition. A condition that is `nil` is always satisfied, one
/// without ranges never.
public struct TimeInterval: Equatable, Sendable {
    /// Days of the month; -1 is the last, -2 the one before.
    public struct Days: Equatable, Sendable {
        /// The first day: 1...31 or -31...(-1).
        public var first: Int
        /// The last day: 1...31 or -31...(-1).
        public var last: Int

        /// The days from `first` to `last`.
        public init(first: Int, last: Int) {
            self.first = first
            self.last = last
        }

        /// Whether they include `day` in a month of `length` days. Days outside the month are ignored.
        func contains(_ day: Int, ofMonthWith length: Int) -> Bool {
            let begin = first < 0 ? length + first + 1 : first
            let end = last < 0 ? length + last + 1 : last
            return begin <= day && day <= end
        }
    }

    /// Minutes of the day, the end not included. 1440 is the end of the day.
    public var minutes: [Range<Int>]?
    /// Days of the week, 0 for Sunday to 6 for Saturday.
    public var weekdays: [ClosedRange<Int>]?
    /// Days of the month.
    public var daysOfMonth: [Days]?
    /// Months, 1...12.
    public var months: [ClosedRange<Int>]?
    /// Years.
    public var years: [ClosedRange<Int>]?
    /// The time zone.
    public var zone: TimeZone

    /// An interval that contains every time.
    public init(zone: TimeZone = .utc) { self.zone = zone }

    /// Whether `time` is in the interval.
    public func contains(_ time: Timestamp) -> Bool {
        let civil = zone.civil(atMilliseconds: time.milliseconds)
        return isMet(minutes, by: civil.minuteOfDay) && isMet(weekdays, by: civil.weekday)
            && isMet(months, by: civil.month) && isMet(years, by: civil.year)
            && daysOfMonth?.contains { $0.contains(civil.day, ofMonthWith: civil.daysInMonth) } ?? true
    }

    private func isMet<Span: RangeExpression<Int>>(_ spans: [Span]?, by value: Int) -> Bool {
        spans?.contains { $0.contains(value) } ?? true
    }
}
