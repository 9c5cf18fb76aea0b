internal import MetricModel
internal import Runtime

/// A rule by which an event is repeated (`RRULE` of RFC 5545, 3.3.10): days, weeks, months or years. A value.
///
/// Supported are `FREQ` from `DAILY` to `YEARLY`, `INTERVAL`, `COUNT`, `UNTIL`, `WKST`, `BYMONTH`, `BYMONTHDAY`,
/// `BYDAY` and, for months and years, `BYSETPOS`. Anything else is a fault rather than a wrong shift.
struct RecurrenceRule: Equatable, Sendable {
    enum Frequency: String, Equatable, Sendable {
        case daily = "DAILY"
        case weekly = "WEEKLY"
        case monthly = "MONTHLY"
        case yearly = "YEARLY"
    }

    /// A weekday, or the *n*-th one of the month or year, counted from its end if negative.
    struct Weekday: Equatable, Sendable {
        /// 0 for every one.
        var ordinal: Int64
        /// 0 for Sunday to 6 for Saturday.
        var day: Int64
    }

    var frequency: Frequency
    var interval: Int64 = 1
    var count: Int64?
    var until: CalendarTime?
    /// 0 for Sunday.
    var weekStart: Int64 = 1
    var months: [Int64] = []
    var monthDays: [Int64] = []
    var weekdays: [Weekday] = []
    var positions: [Int64] = []

    private static let weekdayNames = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"]

    /// Reads the value of the line `RRULE`.
    init(_ line: CalendarLine, _ zones: CalendarZones) throws(CalendarError) {
        var fields: [String: Substring] = [:]
        for part in line.value.split(separator: ";") {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, fields.updateValue(pair[1], forKey: pair[0].uppercased()) == nil else {
                throw line.fault("expected NAME=value once for each name, got \"\(part)\"")
            }
        }
        let name = fields.removeValue(forKey: "FREQ").map { $0.uppercased() } ?? ""
        guard let frequency = Frequency(rawValue: name) else {
            throw line.fault("expected FREQ=DAILY, WEEKLY, MONTHLY or YEARLY, got \"\(name)\"")
        }
        self.frequency = frequency
        interval = try Self.numbers(fields.removeValue(forKey: "INTERVAL"), "INTERVAL", 1...10_000, line).first ?? 1
        count = try Self.numbers(fields.removeValue(forKey: "COUNT"), "COUNT", 1...100_000, line).first
        if let text = fields.removeValue(forKey: "UNTIL") { until = try CalendarTime.read(text, line, zones) }
        if count != nil, until != nil { throw line.fault("COUNT and UNTIL exclude each other") }
        if let text = fields.removeValue(forKey: "WKST") {
            guard let day = Self.weekdayNames.firstIndex(of: text.uppercased()) else {
                throw line.fault("WKST: expected a day such as MO, got \"\(text)\"")
            }
            weekStart = Int64(day)
        }
        months = try Self.numbers(fields.removeValue(forKey: "BYMONTH"), "BYMONTH", 1...12, line)
        monthDays = try Self.numbers(fields.removeValue(forKey: "BYMONTHDAY"), "BYMONTHDAY", -31...31, line)
        positions = try Self.numbers(fields.removeValue(forKey: "BYSETPOS"), "BYSETPOS", -366...366, line)
        for text in fields.removeValue(forKey: "BYDAY")?.split(separator: ",") ?? [] {
            let ordinal = text.count > 2 ? Int64(text.dropLast(2)) : 0
            guard let day = Self.weekdayNames.firstIndex(of: text.suffix(2).uppercased()), let ordinal,
                text.count == 2 || ordinal != 0 && (-53...53).contains(ordinal)
            else { throw line.fault("BYDAY: expected days such as MO or -1FR, got \"\(text)\"") }
            weekdays.append(Weekday(ordinal: ordinal, day: Int64(day)))
        }
        if let unknown = fields.keys.sorted().first { throw line.fault("\(unknown) is not supported") }
        try checkCombination(line)
    }

    private func checkCombination(_ line: CalendarLine) throws(CalendarError) {
        let isShort = frequency == .daily || frequency == .weekly
        if isShort, weekdays.contains(where: { $0.ordinal != 0 }) {
            throw line.fault("BYDAY with a number needs FREQ=MONTHLY or YEARLY")
        }
        if !monthDays.isEmpty, weekdays.contains(where: { $0.ordinal != 0 }) {
            throw line.fault("BYDAY with a number excludes BYMONTHDAY")
        }
        if isShort, !positions.isEmpty { throw line.fault("BYSETPOS needs FREQ=MONTHLY or YEARLY") }
        if frequency == .weekly, !monthDays.isEmpty { throw line.fault("BYMONTHDAY excludes FREQ=WEEKLY") }
        if !positions.isEmpty, months.isEmpty, monthDays.isEmpty, weekdays.isEmpty {
            throw line.fault("BYSETPOS needs another part such as BYDAY")
        }
    }

    private static func numbers(
        _ text: Substring?, _ name: String, _ range: ClosedRange<Int64>, _ line: CalendarLine
    ) throws(CalendarError) -> [Int64] {
        var numbers: [Int64] = []
        for part in text?.split(separator: ",", omittingEmptySubsequences: false) ?? [] {
            guard let number = Int64(part), number != 0, range.contains(number) else {
                throw line.fault(
                    "\(name): expected numbers of \(range.lowerBound) to \(range.upperBound), got \"\(part)\"")
            }
            numbers.append(number)
        }
        return numbers
    }
}

// MARK: Days

extension RecurrenceRule {
    /// Calls `body` with the days of the rule, ascending, until it returns false. `UNTIL` and `COUNT` are the caller's.
    ///
    /// - Parameters:
    ///   - first: the day of the event itself, in days since 1970-01-01; earlier days do not count.
    ///   - near: days before this one may be left out.
    ///   - last: no later day is looked at.
    /// - Complexity: O(1) for each day of a period of the rule between `near` and `last`.
    func forEachDay(from first: Int64, near: Int64, last: Int64, _ body: (Int64) -> Bool) {
        var period = max(0, periodsBetween(first, near))
        while periodStart(period, first) <= last {
            var days = days(ofPeriod: period, first)
            if !positions.isEmpty {
                days = Set(
                    positions.compactMap { position in
                        let index = position > 0 ? Int(position) - 1 : days.count + Int(position)
                        return days.indices.contains(index) ? days[index] : nil
                    }
                ).sorted()
            }
            for day in days where day >= first {
                guard day <= last, body(day) else { return }
            }
            period += 1
        }
    }

    /// The first day of the period with this number.
    private func periodStart(_ period: Int64, _ first: Int64) -> Int64 {
        switch frequency {
        case .daily: return first + period * interval
        case .weekly: return weekBegin(first) + period * interval * 7
        case .monthly:
            let (year, month) = month(of: first, plus: period * interval)
            return RFC3339.daysSinceEpoch(year: year, month: month, day: 1)
        case .yearly:
            let year = RFC3339.date(daysSinceEpoch: first).year + period * interval
            return RFC3339.daysSinceEpoch(year: year, month: 1, day: 1)
        }
    }

    /// A number of periods after `first` that are all over before `near`.
    private func periodsBetween(_ first: Int64, _ near: Int64) -> Int64 {
        let longest: Int64 =
            switch frequency {
            case .daily: 1
            case .weekly: 7
            case .monthly: 31
            case .yearly: 366
            }
        return (near - first).flooredDivision(by: longest * interval) - 1
    }

    private func days(ofPeriod period: Int64, _ first: Int64) -> [Int64] {
        let start = periodStart(period, first)
        switch frequency {
        case .daily: return [start].filter { isInMonths($0) && isMonthDay($0) && isWeekday($0) }
        case .weekly:
            let wanted = weekdays.isEmpty ? [weekday(first)] : weekdays.map(\.day)
            return (start..<start + 7).filter { wanted.contains(weekday($0)) && isInMonths($0) }
        case .monthly:
            let (year, month) = month(of: first, plus: period * interval)
            guard months.isEmpty || months.contains(month) else { return [] }
            return days(ofMonth: month, year, standardDay: RFC3339.date(daysSinceEpoch: first).day)
        case .yearly: return days(ofYear: RFC3339.date(daysSinceEpoch: start).year, first)
        }
    }

    private func days(ofYear year: Int64, _ first: Int64) -> [Int64] {
        let date = RFC3339.date(daysSinceEpoch: first)
        if monthDays.isEmpty, months.isEmpty, !weekdays.isEmpty {
            let begin = RFC3339.daysSinceEpoch(year: year, month: 1, day: 1)
            let end = RFC3339.daysSinceEpoch(year: year + 1, month: 1, day: 1)
            return (begin..<end).filter { isWeekday($0, of: begin..<end) }
        }
        let wanted = months.isEmpty ? (monthDays.isEmpty ? [date.month] : Array(1...12)) : Set(months).sorted()
        return wanted.flatMap { days(ofMonth: $0, year, standardDay: date.day) }
    }

    /// - Parameter standardDay: the day of the month if the rule names none.
    private func days(ofMonth month: Int64, _ year: Int64, standardDay: Int64) -> [Int64] {
        let begin = RFC3339.daysSinceEpoch(year: year, month: month, day: 1)
        let month = begin..<begin + RFC3339.daysIn(month: month, year: year)
        if monthDays.isEmpty, weekdays.isEmpty { return month.filter { $0 - begin + 1 == standardDay } }
        return month.filter { isMonthDay($0, of: month) && isWeekday($0, of: month) }
    }

    private func isInMonths(_ day: Int64) -> Bool {
        months.isEmpty || months.contains(RFC3339.date(daysSinceEpoch: day).month)
    }

    private func isMonthDay(_ day: Int64) -> Bool {
        if monthDays.isEmpty { return true }
        let date = RFC3339.date(daysSinceEpoch: day)
        let begin = day - date.day + 1
        return isMonthDay(day, of: begin..<begin + RFC3339.daysIn(month: date.month, year: date.year))
    }

    private func isMonthDay(_ day: Int64, of month: Range<Int64>) -> Bool {
        monthDays.isEmpty || monthDays.contains(day - month.lowerBound + 1)
            || monthDays.contains(day - month.upperBound)
    }

    private func isWeekday(_ day: Int64) -> Bool { weekdays.isEmpty || weekdays.contains { $0.day == weekday(day) } }

    /// Whether `day` is one of the weekdays; those with a number are counted in `span`, a month or a year.
    private func isWeekday(_ day: Int64, of span: Range<Int64>) -> Bool {
        weekdays.isEmpty
            || weekdays.contains { wanted in
                guard wanted.day == weekday(day) else { return false }
                return wanted.ordinal == 0 || wanted.ordinal == (day - span.lowerBound) / 7 + 1
                    || wanted.ordinal == -((span.upperBound - 1 - day) / 7 + 1)
            }
    }

    private func weekBegin(_ day: Int64) -> Int64 {
        let behind = weekday(day) - weekStart
        return day - (behind < 0 ? behind + 7 : behind)
    }

    private func month(of day: Int64, plus months: Int64) -> (year: Int64, month: Int64) {
        let date = RFC3339.date(daysSinceEpoch: day)
        let index = date.year * 12 + date.month - 1 + months
        return (index.flooredDivision(by: 12), index - index.flooredDivision(by: 12) * 12 + 1)
    }

    /// 0 for Sunday to 6 for Saturday; 1970-01-01 was a Thursday.
    private func weekday(_ day: Int64) -> Int64 { (day + 4) - (day + 4).flooredDivision(by: 7) * 7 }
}
