internal import MetricModel
internal import Runtime

/// A date, or a date with a time of day, as a calendar has it. A value.
struct CalendarTime: Equatable, Sendable {
    /// Whose clocks show it.
    enum Clock: Equatable, Sendable {
        /// Those of the place of the person who reads the calendar; here the zone of the schedule.
        case floating
        case zone(TimeZone)
    }

    /// The time that the clocks show, in seconds since 1970-01-01 local time; midnight for a date.
    var local: Int64
    /// Whose clocks.
    var clock: Clock
    /// Whether it is a whole day.
    var isDate: Bool

    /// Days since 1970-01-01.
    var day: Int64 { local.flooredDivision(by: 86_400) }
    /// Seconds after midnight.
    var secondOfDay: Int64 { local - day * 86_400 }

    /// The zone of its clocks, `fallback` for a floating time.
    func zone(_ fallback: TimeZone) -> TimeZone {
        switch clock {
        case .floating: fallback
        case .zone(let zone): zone
        }
    }

    /// The moment at which the clocks show it.
    func moment(_ fallback: TimeZone) -> Timestamp { zone(fallback).moment(ofLocal: local) }

    /// Reads the value of `line`, such as `20260105T090000`.
    ///
    /// - Parameter zones: the zones of the file by their `TZID`.
    static func read(
        _ text: some StringProtocol, _ line: CalendarLine, _ zones: CalendarZones
    ) throws(CalendarError) -> CalendarTime {
        let bytes = Array(text.utf8)
        let expected = "expected a date such as 20260105 or a time such as 20260105T090000Z, got \"\(text)\""
        guard let date = day(bytes.prefix(8)) else { throw line.fault(expected) }
        if bytes.count == 8 {
            return CalendarTime(local: date * 86_400, clock: .floating, isDate: true)
        }
        let isUTC = bytes.count == 16 && bytes[15] == UInt8(ascii: "Z")
        guard bytes.count == 15 || isUTC, bytes[8] == UInt8(ascii: "T"), let hour = number(bytes[9..<11], 0...23),
            let minute = number(bytes[11..<13], 0...59), let second = number(bytes[13..<15], 0...60)
        else { throw line.fault(expected) }
        let clock: Clock
        if isUTC {
            clock = .zone(.utc)
        } else if let name = line.parameters["TZID"] {
            guard let zone = zones[name] else {
                throw line.fault(
                    "the time zone \"\(name)\" is not in the database of this machine and has no usable VTIMEZONE")
            }
            clock = .zone(zone)
        } else {
            clock = .floating
        }
        return CalendarTime(local: date * 86_400 + hour * 3600 + minute * 60 + second, clock: clock, isDate: false)
    }

    /// `20260105` as days since 1970-01-01. Years before 1900 or after 2199 are mistakes.
    private static func day(_ bytes: ArraySlice<UInt8>) -> Int64? {
        guard bytes.count == 8, let year = number(bytes.prefix(4), 1900...2199),
            let month = number(bytes.dropFirst(4).prefix(2), 1...12),
            let day = number(bytes.dropFirst(6), 1...RFC3339.daysIn(month: month, year: year))
        else { return nil }
        return RFC3339.daysSinceEpoch(year: year, month: month, day: day)
    }

    private static func number(_ digits: ArraySlice<UInt8>, _ range: ClosedRange<Int64>) -> Int64? {
        var value: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        return range.contains(value) ? value : nil
    }
}

/// A length of time, such as `P1DT12H`: days of the calendar, and seconds. A value.
struct CalendarDuration: Equatable, Sendable {
    var days: Int64 = 0
    var seconds: Int64 = 0

    /// Reads `text`; `nil` if it is not one, is negative or longer than a thousand days.
    init?(_ text: some StringProtocol) {
        var rest = Substring(text)
        if rest.first == "+" { rest.removeFirst() }
        guard rest.first == "P" else { return nil }
        rest.removeFirst()
        var isTime = false
        var hasUnit = false
        while let first = rest.first {
            if first == "T", !isTime {
                isTime = true
                rest.removeFirst()
                continue
            }
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard (1...8).contains(digits.count), let count = Int64(digits) else { return nil }
            rest = rest[digits.endIndex...]
            guard let unit = rest.popFirst() else { return nil }
            switch (unit, isTime) {
            case ("W", false): days += count * 7
            case ("D", false): days += count
            case ("H", true): seconds += count * 3600
            case ("M", true): seconds += count * 60
            case ("S", true): seconds += count
            case _: return nil
            }
            hasUnit = true
        }
        guard hasUnit, days + seconds / 86_400 <= 1000 else { return nil }
    }

    init(days: Int64, seconds: Int64) {
        self.days = days
        self.seconds = seconds
    }
}
