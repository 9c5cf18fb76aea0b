internal import MetricModel
internal import Runtime

/// The events of an iCalendar file (RFC 5545). A value.
///
/// Everything but events and time zones is ignored, and so are properties that do not say when an event is or whose it
/// is. A repetition that is not supported is a fault with its line, so that nobody is on call by a guess.
public struct CalendarFile: Equatable, Sendable {
    /// An event, once or repeated.
    struct Event: Equatable, Sendable {
        var uid = ""
        var summary = ""
        /// Addresses of attendees, without `mailto:`.
        var attendees: [String] = []
        var start: CalendarTime
        var end: End
        var rule: RecurrenceRule?
        /// More occurrences, with their own ends where the file has them.
        var added: [(start: CalendarTime, end: End?)] = []
        var excluded: [CalendarTime] = []
        /// The occurrence of another event with the same `UID` that this one replaces.
        var replaced: CalendarTime?
        var isCancelled = false
        /// The line at which it begins.
        var line: Int

        static func == (left: Event, right: Event) -> Bool {
            left.uid == right.uid && left.summary == right.summary && left.attendees == right.attendees
                && left.start == right.start && left.end == right.end && left.rule == right.rule
                && left.added.elementsEqual(right.added) { $0 == $1 } && left.excluded == right.excluded
                && left.replaced == right.replaced && left.isCancelled == right.isCancelled && left.line == right.line
        }
    }

    /// How an event ends. Each occurrence ends at the same local time, as calendar programs show it, so that no change
    /// of clocks makes a hole between two shifts.
    enum End: Equatable, Sendable {
        case at(CalendarTime)
        case after(CalendarDuration)
    }

    /// The most bytes of a file.
    public static let byteLimit = 4 << 20
    /// The most events.
    static let eventLimit = 5000

    let events: [Event]

    /// Reads the bytes of a file.
    public init(_ bytes: [UInt8]) throws(CalendarError) {
        guard bytes.count <= Self.byteLimit else { throw CalendarError("longer than \(Self.byteLimit) bytes") }
        let lines = try CalendarLine.read(bytes)
        guard let first = lines.first, first.name == "BEGIN", first.value.uppercased() == "VCALENDAR" else {
            throw CalendarError("expected BEGIN:VCALENDAR", line: lines.first?.number ?? 1)
        }
        var zones = CalendarZones()
        var eventLines: [[CalendarLine]] = []
        var path: [String] = []
        var zone: (name: String, observances: [CalendarZones.Observance]) = ("", [])
        for line in lines {
            switch line.name {
            case "BEGIN":
                if path.isEmpty, line.number != first.number, line.value.uppercased() != "VCALENDAR" {
                    throw line.fault("expected VCALENDAR")
                }
                path.append(line.value.uppercased())
                switch path.dropFirst() {
                case ["VEVENT"]: eventLines.append([line])
                case ["VTIMEZONE"]: zone = ("", [])
                case ["VTIMEZONE", "STANDARD"]: zone.observances.append(.init(isDaylight: false))
                case ["VTIMEZONE", "DAYLIGHT"]: zone.observances.append(.init(isDaylight: true))
                case _: break
                }
                guard path.count <= 10, eventLines.count <= Self.eventLimit else {
                    throw line.fault("more than \(Self.eventLimit) events, or parts in parts")
                }
            case "END":
                guard path.last == line.value.uppercased() else {
                    throw line.fault("expected \(path.last ?? "BEGIN:VCALENDAR"), got \(line.value)")
                }
                if path.dropFirst() == ["VTIMEZONE"] { zones.add(zone.name, zone.observances) }
                path.removeLast()
            case _:
                guard !path.isEmpty else { throw line.fault("outside of VCALENDAR") }
                switch path.dropFirst() {
                case ["VEVENT"]: eventLines[eventLines.count - 1].append(line)
                case ["VTIMEZONE"] where line.name == "TZID": zone.name = line.value
                case ["VTIMEZONE", "STANDARD"], ["VTIMEZONE", "DAYLIGHT"]:
                    Self.read(line, into: &zone.observances[zone.observances.count - 1])
                case _: break
                }
            }
        }
        if let open = path.last { throw CalendarError("END:\(open) is missing", line: lines.last?.number ?? 0) }
        for line in eventLines.joined() { if let name = line.parameters["TZID"] { zones.use(name) } }
        var events: [Event] = []
        for lines in eventLines { if let event = try Event(lines, zones) { events.append(event) } }
        self.events = events
    }

    private static func read(_ line: CalendarLine, into observance: inout CalendarZones.Observance) {
        switch line.name {
        case "DTSTART": observance.start = line.value
        case "TZOFFSETTO": observance.offset = CalendarZones.offset(line.value)
        case "RRULE": observance.rule = line
        case _: break
        }
    }
}

extension CalendarFile.Event {
    private static let dateLimit = 5000

    /// Reads the lines of an event, from `BEGIN` on; `nil` for one without a time.
    fileprivate init?(_ lines: [CalendarLine], _ zones: CalendarZones) throws(CalendarError) {
        var start: CalendarTime?
        var end: CalendarFile.End?
        var rule: RecurrenceRule?
        var (uid, summary, attendees, isCancelled) = ("", "", [String](), false)
        var added: [(start: CalendarTime, end: CalendarFile.End?)] = []
        var excluded: [CalendarTime] = []
        var replaced: CalendarTime?
        for line in lines {
            switch line.name {
            case "UID": uid = line.value
            case "SUMMARY": summary = line.text
            case "ATTENDEE":
                if attendees.count < 100 { attendees.append(Self.address(line.value)) }
            case "STATUS": isCancelled = line.value.uppercased() == "CANCELLED"
            case "DTSTART": start = try CalendarTime.read(line.value, line, zones)
            case "DTEND": end = .at(try CalendarTime.read(line.value, line, zones))
            case "DURATION":
                guard let duration = CalendarDuration(line.value) else {
                    throw line.fault("expected a duration such as P7D or PT12H, got \"\(line.value)\"")
                }
                end = .after(duration)
            case "RRULE":
                guard rule == nil else { throw line.fault("more than one rule in an event is not supported") }
                rule = try RecurrenceRule(line, zones)
            case "EXRULE": throw line.fault("not supported; use EXDATE")
            case "RDATE": added += try Self.added(line, zones)
            case "EXDATE":
                for text in line.value.split(separator: ",") {
                    excluded.append(try CalendarTime.read(text, line, zones))
                }
            case "RECURRENCE-ID":
                if let range = line.parameters["RANGE"] { throw line.fault("RANGE=\(range) is not supported") }
                replaced = try CalendarTime.read(line.value, line, zones)
            case _: break
            }
            guard added.count <= Self.dateLimit, excluded.count <= Self.dateLimit else {
                throw line.fault("more than \(Self.dateLimit) dates")
            }
        }
        let first = lines[0]
        guard let start else {
            throw CalendarError("an event without a beginning", line: first.number, property: "DTSTART")
        }
        let standard = CalendarFile.End.after(CalendarDuration(days: start.isDate ? 1 : 0, seconds: 0))
        if case .at(let last)? = end {
            guard last.isDate == start.isDate else {
                throw CalendarError(
                    "DTSTART and DTEND must both be dates, or both be times", line: first.number, property: "DTEND")
            }
            guard last.moment(.utc) > start.moment(.utc) else { return nil }
        }
        self.init(
            uid: uid, summary: summary, attendees: attendees, start: start, end: end ?? standard, rule: rule,
            added: added, excluded: excluded, replaced: replaced, isCancelled: isCancelled, line: first.number)
    }

    private static func address(_ value: String) -> String {
        value.lowercased().hasPrefix("mailto:") ? String(value.dropFirst(7)) : value
    }

    /// The dates of `RDATE`: times, dates, or periods with their end or length.
    private static func added(
        _ line: CalendarLine, _ zones: CalendarZones
    ) throws(CalendarError) -> [(start: CalendarTime, end: CalendarFile.End?)] {
        var found: [(start: CalendarTime, end: CalendarFile.End?)] = []
        for text in line.value.split(separator: ",") {
            let parts = text.split(separator: "/", maxSplits: 1)
            guard let first = parts.first else { throw line.fault("expected a date") }
            let start = try CalendarTime.read(first, line, zones)
            var end: CalendarFile.End?
            if parts.count == 2 {
                if let duration = CalendarDuration(parts[1]) {
                    end = .after(duration)
                } else {
                    end = .at(try CalendarTime.read(parts[1], line, zones))
                }
            }
            found.append((start, end))
        }
        return found
    }
}
