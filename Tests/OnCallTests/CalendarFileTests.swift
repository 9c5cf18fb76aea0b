import MetricModel
import Runtime
import TestSupport
import Testing

@testable import OnCall

@Suite struct CalendarFileTests {
    private static let berlin = try? TimeZone.load("Europe/Berlin")

    private func time(_ text: String) throws -> Timestamp {
        Timestamp(milliseconds: try #require(RFC3339.milliseconds(parsing: text)))
    }

    /// The shifts of 2026 as `person from until`.
    private func shifts(_ events: String, before: String = "") throws -> [String] {
        let text = "BEGIN:VCALENDAR\nVERSION:2.0\n\(before)\(events)\nEND:VCALENDAR\n"
        let reading = try CalendarFile(Array(text.utf8)).shifts(
            in: time("2026-01-01T00:00:00Z")..<time("2027-01-01T00:00:00Z"), zone: try #require(Self.berlin),
            people: CalendarPeople(try RecurrenceTests.roster()))
        return reading.shifts.map {
            "\($0.person ?? "nobody") \(RFC3339.text(milliseconds: $0.from.milliseconds).prefix(16))"
                + " \(RFC3339.text(milliseconds: $0.until.milliseconds).prefix(16))"
        }
    }

    private func event(_ lines: String...) -> String {
        "BEGIN:VEVENT\n\(lines.joined(separator: "\n"))\nEND:VEVENT\n"
    }

    @Test func `whole days are those of the schedule's zone, and the last one is not in it`() throws {
        #expect(
            try shifts(event("SUMMARY:ada", "DTSTART;VALUE=DATE:20260328", "DTEND;VALUE=DATE:20260330"))
                == ["ada 2026-03-27T23:00 2026-03-29T22:00"])
        #expect(
            try shifts(event("SUMMARY:ada", "DTSTART;VALUE=DATE:20260101")) == ["ada 2025-12-31T23:00 2026-01-01T23:00"]
        )
    }

    @Test func `a time without a zone is of the schedule's zone, and one with a zone of its own`() throws {
        let lines = ["20260105T090000", ";TZID=America/New_York:20260105T090000", "20260105T090000Z"]
        let begins = try lines.map { line in
            try shifts(event("SUMMARY:bob", "DTSTART\(line.contains(":") ? line : ":" + line)", "DURATION:PT1H"))[0]
        }
        #expect(
            begins == [
                "bob 2026-01-05T08:00 2026-01-05T09:00", "bob 2026-01-05T14:00 2026-01-05T15:00",
                "bob 2026-01-05T09:00 2026-01-05T10:00",
            ])
    }

    @Test func `shifts that follow each other leave no hole when clocks change`() throws {
        let week = try shifts(
            event(
                "SUMMARY:ada", "DTSTART;TZID=Europe/Berlin:20260302T090000", "DTEND;TZID=Europe/Berlin:20260309T090000",
                "RRULE:FREQ=WEEKLY;COUNT=6"))
        #expect(week == ["ada 2026-03-02T08:00 2026-04-13T07:00"])
    }

    @Test func `dates are added and taken away, and an occurrence is moved or cancelled`() throws {
        let series = event(
            "UID:series", "SUMMARY:ada", "DTSTART;TZID=Europe/Berlin:20260105T090000",
            "DTEND;TZID=Europe/Berlin:20260105T170000", "RRULE:FREQ=DAILY;COUNT=5",
            "EXDATE;TZID=Europe/Berlin:20260106T090000",
            "RDATE;TZID=Europe/Berlin:20260120T090000,20260121T090000", "RDATE;VALUE=PERIOD:20260201T080000Z/PT2H")
        let moved = event(
            "UID:series", "SUMMARY:bob", "RECURRENCE-ID;TZID=Europe/Berlin:20260107T090000",
            "DTSTART;TZID=Europe/Berlin:20260107T120000", "DTEND;TZID=Europe/Berlin:20260107T140000")
        let cancelled = event(
            "UID:series", "SUMMARY:ada", "STATUS:CANCELLED", "RECURRENCE-ID:20260108T080000Z",
            "DTSTART:20260108T080000Z", "DTEND:20260108T160000Z")
        #expect(
            try shifts(series + moved + cancelled) == [
                "ada 2026-01-05T08:00 2026-01-05T16:00", "bob 2026-01-07T11:00 2026-01-07T13:00",
                "ada 2026-01-09T08:00 2026-01-09T16:00", "ada 2026-01-20T08:00 2026-01-20T16:00",
                "ada 2026-01-21T08:00 2026-01-21T16:00", "ada 2026-02-01T08:00 2026-02-01T10:00",
            ])
    }

    @Test func `of overlapping events the one that begins later counts`() throws {
        let base = event("SUMMARY:ada", "DTSTART:20260105T000000Z", "DURATION:P7D")
        let relief = event("SUMMARY:bob", "DTSTART:20260106T000000Z", "DURATION:P1D")
        let inner = event("SUMMARY:eve", "DTSTART:20260106T000000Z", "DURATION:PT6H")
        let wanted = [
            "ada 2026-01-05T00:00 2026-01-06T00:00", "eve 2026-01-06T00:00 2026-01-06T06:00",
            "bob 2026-01-06T06:00 2026-01-07T00:00", "ada 2026-01-07T00:00 2026-01-12T00:00",
        ]
        #expect(try shifts(base + relief + inner) == wanted)
        #expect(try shifts(inner + base + relief) == wanted)
    }

    @Test func `a zone of Outlook gets the rules that the file describes`() throws {
        let zone = """
            BEGIN:VTIMEZONE
            TZID:W. Europe Standard Time
            BEGIN:STANDARD
            DTSTART:16010101T030000
            TZOFFSETFROM:+0200
            TZOFFSETTO:+0100
            RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
            END:STANDARD
            BEGIN:DAYLIGHT
            DTSTART:16010101T020000
            TZOFFSETFROM:+0100
            TZOFFSETTO:+0200
            RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
            END:DAYLIGHT
            END:VTIMEZONE

            """
        let lines = [
            "SUMMARY:ada", "DTSTART;TZID=\"W. Europe Standard Time\":20260328T090000", "DURATION:PT1H",
            "RRULE:FREQ=DAILY;COUNT=2",
        ]
        let events = "BEGIN:VEVENT\n\(lines.joined(separator: "\n"))\nEND:VEVENT\n"
        #expect(
            try shifts(events, before: zone)
                == ["ada 2026-03-28T08:00 2026-03-28T09:00", "ada 2026-03-29T07:00 2026-03-29T08:00"])
        let error = #expect(throws: CalendarError.self) { try shifts(events) }
        #expect(
            error?.description
                == "line 5: DTSTART: the time zone \"W. Europe Standard Time\" is not in the database of this machine and has no usable VTIMEZONE"
        )
    }

    @Test(
        arguments: [
            ("On Call - Ada Lovelace - Primary", "", "ada"), ("BOB", "", "bob"), ("adabob", "", nil),
            ("ada and bob", "", nil), ("", "MAILTO:ada@example.org", "ada"), ("bob", "mailto:ada@example.org", "ada"),
            ("(eve b.)", "", "eve"), ("holiday", "", nil),
        ] as [(String, String, String?)])
    func `the attendee or the summary names the person`(summary: String, attendee: String, person: String?) throws {
        let people = CalendarPeople(try RecurrenceTests.roster())
        let addresses = attendee.isEmpty ? [] : [String(attendee.dropFirst(7))]
        #expect(people.person(summary: summary, attendees: addresses) == person)
    }

    @Test func `events that name nobody are counted with their lines`() throws {
        let text =
            "BEGIN:VCALENDAR\n" + event("SUMMARY:holiday", "DTSTART:20260105T000000Z", "DURATION:P1D") + "END:VCALENDAR"
        let reading = try CalendarFile(Array(text.utf8)).shifts(
            in: time("2026-01-01T00:00:00Z")..<time("2027-01-01T00:00:00Z"), zone: .utc,
            people: CalendarPeople(try RecurrenceTests.roster()))
        #expect(reading.unknown == [2] && reading.unknownCount == 1 && reading.shifts.isEmpty)
    }

    @Test(arguments: [
        ("", "line 1: expected BEGIN:VCALENDAR"), ("<html>", "line 1: expected NAME:value"),
        ("BEGIN:VCALENDAR\n", "line 1: END:VCALENDAR is missing"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR", "line 3: END: expected VEVENT, got VCALENDAR"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR", "line 2: DTSTART: an event without a beginning"),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260230T000000Z\nEND:VEVENT\nEND:VCALENDAR",
            "line 3: DTSTART: expected a date such as 20260105 or a time such as 20260105T090000Z, got \"20260230T000000Z\""
        ),
        (" x", "line 1: a continuation of nothing"),
    ])
    func `a malformed file is refused with its line`(text: String, fault: String) {
        let error = #expect(throws: CalendarError.self) { try CalendarFile(Array(text.utf8)) }
        #expect(error?.description == fault)
    }

    @Test func `our own feed is read as it was written`() throws {
        var roster = try RecurrenceTests.roster()
        let zone = try #require(Self.berlin)
        let start = try time("2026-03-02T09:00:00Z").milliseconds / 1000
        roster.schedules["s"] = Schedule(
            name: "s", zone: zone,
            layers: [.init(rotation: Rotation(people: ["ada", "bob"], length: .days(7), start: start))])
        let now = try time("2026-03-20T12:00:00Z")
        let feed = ICalendar.feed(of: "ada", in: roster, at: now, host: "h").replacing("On call: s", with: "ada")
        let window = now..<now + .hours(24 * 60)
        let read = try CalendarFile(Array(feed.utf8)).shifts(
            in: window, zone: .utc, people: CalendarPeople(roster)
        ).shifts
        let own = try #require(roster.schedules["s"]).shifts(from: now - .hours(24 * 31), until: now + .hours(24 * 180))
            .filter { $0.person == "ada" && $0.from < window.upperBound && $0.until > window.lowerBound }
        #expect(read == own && read.count == 5)
    }

    /// Any bytes are read or refused; none ends the process.
    @Test func `mutated files are read or refused`() throws {
        var random = SeededGenerator()
        let file = Array(
            """
            BEGIN:VCALENDAR
            BEGIN:VTIMEZONE
            TZID:X Y
            BEGIN:STANDARD
            DTSTART:16010101T030000
            TZOFFSETTO:+0100
            RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
            END:STANDARD
            END:VTIMEZONE
            BEGIN:VEVENT
            SUMMARY:ada
            DTSTART;TZID=X Y:20260105T090000
            DTEND;TZID=X Y:20260112T090000
            RRULE:FREQ=MONTHLY;BYDAY=1MO,-1FR;BYSETPOS=-1;COUNT=99
            RDATE;VALUE=PERIOD:20260201T080000Z/PT2H
            EXDATE:20260105T080000Z
            END:VEVENT
            END:VCALENDAR
            """.utf8)
        let people = CalendarPeople(try RecurrenceTests.roster())
        let window = try time("2026-01-01T00:00:00Z")..<time("2027-02-01T00:00:00Z")
        var readable = 0
        for _ in 0..<3000 {
            var bytes = file
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: bytes.indices, using: &random)
                switch Int.random(in: 0...2, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes[place] = Array("0123456789-+:;,\nT".utf8).randomElement(using: &random) ?? 0
                }
            }
            guard let read = try? CalendarFile(bytes) else { continue }
            readable += 1
            _ = try? read.shifts(in: window, zone: .utc, people: people)
        }
        #expect(readable > 300 && readable < 2900, "\(readable), seed \(random.seed)")
    }
}
