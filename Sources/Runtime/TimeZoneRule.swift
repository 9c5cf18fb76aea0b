internal import MetricModel

/// The yearly changes to and from daylight saving time, in POSIX notation as in `TZ` and at the end of time zone files:
/// `CET-1CEST,M3.5.0,M10.5.0/3`.
struct TimeZoneRule: Equatable, Sendable {
    /// A time that occurs once every year.
    struct YearlyMoment: Equatable, Sendable {
        enum Day: Equatable, Sendable {
            /// `J60`: 1...365, without February 29.
            case withoutLeapDay(Int)
            /// `59`: 0...365, with February 29.
            case ofYear(Int)
            /// `M3.5.0`: a weekday (0 for Sunday) of a week, where week 5 is the last.
            case weekday(month: Int, week: Int, day: Int)
        }

        var day: Day
        /// Seconds after midnight, local time before the change. May be negative or on a later day.
        var seconds: Int64
    }

    struct Daylight: Equatable, Sendable {
        var offset: Int64
        var begins: YearlyMoment
        var ends: YearlyMoment
    }

    /// The offset from UTC, in seconds, without daylight saving time.
    var standard: Int64
    var daylight: Daylight?

    /// The offset from UTC, in seconds, at `seconds` since the epoch.
    func offset(at seconds: Int64) -> Int64 {
        guard let daylight else { return standard }
        let days = (seconds &+ standard).flooredDivision(by: 86_400)
        let year = RFC3339.date(daysSinceEpoch: days).year
        let begin = daylight.begins.localSeconds(in: year) - standard
        let end = daylight.ends.localSeconds(in: year) - daylight.offset
        // In the southern hemisphere, summer includes the turn of the year.
        let isDaylight = begin < end ? (begin..<end).contains(seconds) : !(end..<begin).contains(seconds)
        return isDaylight ? daylight.offset : standard
    }
}

extension TimeZoneRule.YearlyMoment {
    /// The local time of the change, in seconds since the epoch.
    func localSeconds(in year: Int64) -> Int64 {
        let newYear = RFC3339.daysSinceEpoch(year: year, month: 1, day: 1)
        let days: Int64
        switch day {
        case .ofYear(let day): days = newYear + Int64(day)
        case .withoutLeapDay(let day):
            let isLeap = RFC3339.daysIn(month: 2, year: year) == 29
            days = newYear + Int64(day) - (isLeap && day >= 60 ? 0 : 1)
        case .weekday(let month, let week, let day):
            let first = RFC3339.daysSinceEpoch(year: year, month: Int64(month), day: 1)
            let weekday = (first + 4) - (first + 4).flooredDivision(by: 7) * 7
            var date = (Int64(day) - weekday + 7) % 7 + Int64(week - 1) * 7
            if date >= RFC3339.daysIn(month: Int64(month), year: year) { date -= 7 }
            days = first + date
        }
        return days * 86_400 + seconds
    }
}

// MARK: Reading

extension TimeZoneRule {
    /// Reads `std offset [dst [offset] , start [/time] , end [/time]]`; `nil` for anything else.
    init?(parsing text: String) {
        var reader = Reader(rest: Array(text.utf8)[...])
        guard reader.name(), let west = reader.clock(hours: 24) else { return nil }
        standard = -west
        if reader.rest.isEmpty { return }
        guard reader.name() else { return nil }
        var offset = standard + 3600
        if reader.rest.first != UInt8(ascii: ",") {
            guard let west = reader.clock(hours: 24) else { return nil }
            offset = -west
        }
        guard let begins = reader.moment(), let ends = reader.moment(), reader.rest.isEmpty else { return nil }
        daylight = Daylight(offset: offset, begins: begins, ends: ends)
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: character) else { return false }
            rest.removeFirst()
            return true
        }

        /// Three or more letters, or any text in angle brackets.
        mutating func name() -> Bool {
            if take("<") {
                guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
                rest = rest[(end + 1)...]
                return true
            }
            let letters = rest.prefix { (0x61...0x7a).contains($0 | 0x20) }
            rest = rest[letters.endIndex...]
            return letters.count >= 3
        }

        mutating func number(_ range: ClosedRange<Int>) -> Int? {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard (1...3).contains(digits.count) else { return nil }
            rest = rest[digits.endIndex...]
            let value = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            return range.contains(value) ? value : nil
        }

        /// `[+-]hh[:mm[:ss]]` in seconds.
        mutating func clock(hours: Int) -> Int64? {
            let isNegative = take("-")
            if !isNegative { _ = take("+") }
            guard var seconds = number(0...hours).map({ $0 * 3600 }) else { return nil }
            for unit in [60, 1] where take(":") {
                guard let value = number(0...59) else { return nil }
                seconds += value * unit
            }
            return Int64(isNegative ? -seconds : seconds)
        }

        /// `,day[/time]`. The default time is two o'clock.
        mutating func moment() -> YearlyMoment? {
            guard take(",") else { return nil }
            let day: YearlyMoment.Day
            if take("M") {
                guard let month = number(1...12), take("."), let week = number(1...5), take("."),
                    let weekday = number(0...6)
                else { return nil }
                day = .weekday(month: month, week: week, day: weekday)
            } else if take("J") {
                guard let number = number(1...365) else { return nil }
                day = .withoutLeapDay(number)
            } else {
                guard let number = number(0...365) else { return nil }
                day = .ofYear(number)
            }
            guard take("/") else { return YearlyMoment(day: day, seconds: 7200) }
            return clock(hours: 167).map { YearlyMoment(day: day, seconds: $0) }
        }
    }
}
