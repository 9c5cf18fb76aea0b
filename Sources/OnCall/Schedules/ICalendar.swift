public import MetricModel
internal import Runtime

/// The shifts of a person as an iCalendar feed (RFC 5545), for the calendar on their phone.
public enum ICalendar {
    /// How far back and ahead a feed goes.
    private static let span = (back: Milliseconds.hours(24 * 31), ahead: Milliseconds.hours(24 * 180))
    private static let lineLimit = 75

    /// The feed of `person` at `now`, with every schedule that has them.
    ///
    /// - Parameter host: the name of this service, which makes the ids of events unique.
    public static func feed(of person: String, in roster: Roster, at now: Timestamp, host: String) -> String {
        var lines = [
            "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Tribune//on-call//EN", "CALSCALE:GREGORIAN",
            "METHOD:PUBLISH", "X-WR-CALNAME:\(escaped("On call: \(person)"))", "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        ]
        for schedule in roster.schedules.values.sorted(by: { $0.name < $1.name }) {
            for shift in schedule.shifts(from: now - span.back, until: now + span.ahead) where shift.person == person {
                lines += [
                    "BEGIN:VEVENT", "UID:\(escaped(schedule.name))-\(shift.from.milliseconds / 1000)@\(escaped(host))",
                    "DTSTAMP:\(time(now))", "DTSTART:\(time(shift.from))", "DTEND:\(time(shift.until))",
                    "SUMMARY:\(escaped("On call: \(schedule.name)"))", "TRANSP:TRANSPARENT", "END:VEVENT",
                ]
            }
        }
        lines.append("END:VCALENDAR")
        return lines.map(folded).joined()
    }

    /// `20260105T080000Z`.
    private static func time(_ moment: Timestamp) -> String {
        RFC3339.text(milliseconds: moment.milliseconds / 1000 * 1000).filter { $0 != "-" && $0 != ":" }
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            if character.isNewline {
                result += "\\n"
            } else {
                if "\\;,".contains(character) { result.append("\\") }
                result.append(character)
            }
        }
    }

    /// The line with its end, in pieces of at most 75 bytes that split no character.
    private static func folded(_ line: String) -> String {
        var (text, length) = ("", 0)
        for character in line {
            let count = character.utf8.count
            if length + count > lineLimit {
                text += "\r\n "
                length = 1
            }
            text.append(character)
            length += count
        }
        return text + "\r\n"
    }
}
