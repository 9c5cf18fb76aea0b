import MetricModel
import Runtime
import TestSupport
import Testing

@testable import OnCall

/// Repeated events as Python's dateutil computes them.
@Suite struct RecurrenceTests {
    private static let days = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]

    /// A random rule of those that the reader supports.
    private static func rule(_ random: inout SeededGenerator) -> String {
        func some(_ choices: [String], most: Int, _ random: inout SeededGenerator) -> String {
            choices.shuffled(using: &random).prefix(Int.random(in: 1...most, using: &random)).joined(separator: ",")
        }
        let frequency = ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"].randomElement(using: &random) ?? "DAILY"
        let isLong = frequency == "MONTHLY" || frequency == "YEARLY"
        var parts = ["FREQ=\(frequency)"]
        if Bool.random(using: &random) { parts.append("INTERVAL=\(Int.random(in: 1...5, using: &random))") }
        if Int.random(in: 0...3, using: &random) == 0 {
            parts.append("BYMONTH=\(some((1...12).map(String.init), most: 4, &random))")
        }
        var hasMonthDay = false
        if frequency != "WEEKLY", Int.random(in: 0...3, using: &random) == 0 {
            hasMonthDay = true
            parts.append("BYMONTHDAY=\(some((1...31).map(String.init) + ["-1", "-2", "-31"], most: 5, &random))")
        }
        if Bool.random(using: &random) {
            let hasNumbers = isLong && !hasMonthDay && Bool.random(using: &random)
            let numbered = days.flatMap { day in ["1", "2", "5", "-1", "-3"].map { $0 + day } }
            parts.append("BYDAY=\(some(hasNumbers ? numbered : days, most: 4, &random))")
            if isLong, Int.random(in: 0...2, using: &random) == 0 {
                parts.append("BYSETPOS=\(some(["1", "2", "-1", "-2", "4"], most: 2, &random))")
            }
        }
        if Int.random(in: 0...3, using: &random) == 0 {
            parts.append("WKST=\(days.randomElement(using: &random) ?? "MO")")
        }
        switch Int.random(in: 0...3, using: &random) {
        case 0: parts.append("COUNT=\(Int.random(in: 1...40, using: &random))")
        case 1:
            parts.append(
                "UNTIL=202\(Int.random(in: 5...8, using: &random))0\(Int.random(in: 1...9, using: &random))15T120000Z")
        default: break
        }
        return parts.joined(separator: ";")
    }

    @Test func `random rules have the occurrences that dateutil finds, in eight time zones`() throws {
        var random = SeededGenerator()
        let zones = [
            "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe",
            "Pacific/Chatham", "Africa/Casablanca",
        ]
        var cases: [(zone: String, start: String, rule: String)] = []
        for number in 0..<800 {
            let year = Int.random(in: 2019...2025, using: &random)
            let (month, day) = (Int.random(in: 1...12, using: &random), Int.random(in: 1...28, using: &random))
            let start = "\(year)\(month < 10 ? "0" : "")\(month)\(day < 10 ? "0" : "")\(day)T013000"
            cases.append((zones[number % zones.count], start, Self.rule(&random)))
        }
        let directory = TemporaryDirectory()
        let input = directory.write(cases.map { "\($0.zone) \($0.start) \($0.rule)" }.joined(separator: "\n"), to: "in")
        let program = directory.write(
            """
            import sys, datetime, zoneinfo
            from dateutil.rrule import rrulestr
            begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
            end = datetime.datetime(2029, 1, 1, tzinfo=datetime.timezone.utc)
            for line in open(sys.argv[1]):
                zone, start, rule = line.split()
                zone = zoneinfo.ZoneInfo(zone)
                first = datetime.datetime.strptime(start, "%Y%m%dT%H%M%S").replace(tzinfo=zone)
                found = set()
                for time in rrulestr(rule, dtstart=first):
                    if time.year >= 2030: break
                    if begin <= time < end: found.add(int(time.timestamp()))
                print(*sorted(found))
            """, to: "rules.py")
        let expected = ShellCommand.run("python3 \(program) \(input)").split(
            separator: "\n", omittingEmptySubsequences: false)
        try #require(expected.count == cases.count + 1, "python3-dateutil is missing, or its program failed")
        let roster = try Self.roster()
        let window =
            Timestamp(
                milliseconds: try #require(RFC3339.milliseconds(parsing: "2026-01-01T00:00:00Z")))..<Timestamp(
                milliseconds: try #require(RFC3339.milliseconds(parsing: "2029-01-01T00:00:00Z")))
        var total = 0
        for (one, line) in zip(cases, expected) {
            let text = """
                BEGIN:VCALENDAR
                BEGIN:VEVENT
                SUMMARY:ada
                DTSTART;TZID=\(one.zone):\(one.start)
                DURATION:PT1S
                RRULE:\(one.rule)
                END:VEVENT
                END:VCALENDAR
                """
            let file = try CalendarFile(Array(text.utf8))
            let shifts = try file.shifts(in: window, zone: .utc, people: CalendarPeople(roster)).shifts
            let wanted = line.split(separator: " ").compactMap { Int64($0) }
            #expect(
                shifts.map { $0.from.milliseconds / 1000 } == wanted, "\(one), seed \(random.seed)")
            total += wanted.count
        }
        #expect(total > 20_000)
    }

    static func roster() throws -> Roster {
        var roster = Roster()
        for (name, aliases) in [("ada", ["Ada Lovelace", "ada@example.org"]), ("bob", []), ("eve", ["Eve B."])] {
            roster.people[name] = .init(name: name, contacts: [.init(receiver: name, delay: .zero)], aliases: aliases)
        }
        return roster
    }

    @Test(arguments: [
        ("FREQ=HOURLY", "line 6: RRULE: expected FREQ=DAILY, WEEKLY, MONTHLY or YEARLY, got \"HOURLY\""),
        ("FREQ=DAILY;BYHOUR=3", "line 6: RRULE: BYHOUR is not supported"),
        ("FREQ=YEARLY;BYWEEKNO=20", "line 6: RRULE: BYWEEKNO is not supported"),
        ("FREQ=WEEKLY;BYDAY=2MO", "line 6: RRULE: BYDAY with a number needs FREQ=MONTHLY or YEARLY"),
        ("FREQ=WEEKLY;BYDAY=XX", "line 6: RRULE: BYDAY: expected days such as MO or -1FR, got \"XX\""),
        ("FREQ=DAILY;INTERVAL=0", "line 6: RRULE: INTERVAL: expected numbers of 1 to 10000, got \"0\""),
        ("FREQ=DAILY;COUNT=3;UNTIL=20260101", "line 6: RRULE: COUNT and UNTIL exclude each other"),
        (
            "FREQ=DAILY;UNTIL=tomorrow",
            "line 6: RRULE: expected a date such as 20260105 or a time such as 20260105T090000Z, got \"tomorrow\""
        ),
        ("FREQ=DAILY;FREQ=DAILY", "line 6: RRULE: expected NAME=value once for each name, got \"FREQ=DAILY\""),
    ])
    func `a rule that is not supported is refused with its line`(rule: String, fault: String) throws {
        let text =
            "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:ada\r\nDTSTART:20260105T090000Z\r\nDURATION:P1D\r\nRRULE:\(rule)\r\n"
            + "END:VEVENT\r\nEND:VCALENDAR\r\n"
        let error = #expect(throws: CalendarError.self) { try CalendarFile(Array(text.utf8)) }
        #expect(error?.description == fault)
    }
}
