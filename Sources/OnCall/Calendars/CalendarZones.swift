internal import Runtime

/// The time zones of a calendar by their `TZID`. A value.
///
/// The system's database counts before the file's own description, which calendar programs often shorten. A name that
/// the database has not, as Outlook writes, gets the yearly rules of its `VTIMEZONE`.
struct CalendarZones: Sendable {
    /// A `STANDARD` or `DAYLIGHT` part of a `VTIMEZONE`.
    struct Observance: Sendable {
        var isDaylight: Bool
        /// `YYYYMMDDTHHMMSS`.
        var start = ""
        var offset: Int64?
        var rule: CalendarLine?
    }

    private var own: [String: TimeZone] = [:]
    private var known: [String: TimeZone] = [:]

    /// Notes the description of the zone `name`. One that cannot be used counts only when an event needs it.
    mutating func add(_ name: String, _ observances: [Observance]) {
        let standard = observances.filter { !$0.isDaylight }.max { $0.start < $1.start }
        let daylight = observances.filter(\.isDaylight).max { $0.start < $1.start }
        guard let standard, let offset = standard.offset.map(Self.posix(offset:)) else { return }
        var text = "STD\(offset)"
        if let daylight, daylight.start >= standard.start || daylight.rule != nil && standard.rule != nil {
            guard let summer = daylight.offset.map(Self.posix(offset:)), let begins = Self.posix(daylight),
                let ends = Self.posix(standard)
            else { return }
            text += "DST\(summer),\(begins),\(ends)"
        }
        own[name] = TimeZone(name: name, posix: text)
    }

    /// Loads the zone `name`, which a line of the file uses. Later uses cost nothing.
    mutating func use(_ name: String) {
        guard known[name] == nil else { return }
        // Some programs put a path of their own before the name.
        let parts = name.split(separator: "/")
        for count in [parts.count, 3, 2] where count <= parts.count && count > 0 {
            let candidate = parts.suffix(count).joined(separator: "/")
            // Not being in the database is no fault here: the file may describe the zone.
            if candidate.contains("/") || candidate == "UTC", let zone = try? TimeZone.load(candidate) {
                known[name] = zone
                return
            }
        }
        known[name] = own[name]
    }

    subscript(_ name: String) -> TimeZone? { known[name] }

    /// `+0100` in seconds.
    static func offset(_ text: String) -> Int64? {
        guard let sign = text.first, sign == "+" || sign == "-", text.count == 5 || text.count == 7,
            text.dropFirst().allSatisfy({ $0.isASCII && $0.isNumber }), let digits = Int64(text.dropFirst())
        else { return nil }
        let clock = text.count == 5 ? digits * 100 : digits
        let seconds = clock / 10_000 * 3600 + clock / 100 % 100 * 60 + clock % 100
        guard seconds < 86_400 else { return nil }
        return sign == "-" ? -seconds : seconds
    }

    /// The offset with POSIX's sign, which is positive in the west.
    private static func posix(offset: Int64) -> String {
        let seconds = abs(offset)
        return "\(offset > 0 ? "-" : "")\(seconds / 3600):\(seconds / 60 % 60):\(seconds % 60)"
    }

    /// `M3.5.0/2`; `nil` if the change follows another kind of rule.
    private static func posix(_ observance: Observance) -> String? {
        guard let line = observance.rule, observance.start.count == 15,
            // A rule that cannot be read cannot be used, like one of another kind.
            let rule = try? RecurrenceRule(line, CalendarZones()),
            rule.frequency == .yearly, rule.interval == 1, rule.months.count == 1, rule.weekdays.count == 1,
            rule.monthDays.isEmpty, rule.positions.isEmpty
        else { return nil }
        let weekday = rule.weekdays[0]
        guard weekday.ordinal == -1 || (1...4).contains(weekday.ordinal) else { return nil }
        let clock = observance.start.suffix(6)
        return "M\(rule.months[0]).\(weekday.ordinal == -1 ? 5 : weekday.ordinal).\(weekday.day)"
            + "/\(clock.prefix(2)):\(clock.dropFirst(2).prefix(2)):\(clock.suffix(2))"
    }
}
