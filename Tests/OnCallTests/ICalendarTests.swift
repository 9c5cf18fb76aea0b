import MetricModel
import Runtime
import Testing

@testable import OnCall

@Suite struct ICalendarTests {
    /// Reads a feed as RFC 5545 says: unfolds, and returns the properties of each event.
    private func events(_ feed: String) throws -> [[String: String]] {
        #expect(feed.hasSuffix("\r\n"))
        let raw = feed.replacing("\r\n", with: "\n")
        #expect(!raw.contains("\r"))
        for line in raw.split(separator: "\n") { #expect(line.utf8.count <= 75, "\(line)") }
        let lines = raw.replacing("\n ", with: "").split(separator: "\n").map(String.init)
        #expect(lines.first == "BEGIN:VCALENDAR" && lines.last == "END:VCALENDAR")
        var (events, current) = ([[String: String]](), [String: String]?.none)
        for line in lines {
            let colon = try #require(line.firstIndex(of: ":"))
            switch line {
            case "BEGIN:VEVENT": current = [:]
            case "END:VEVENT":
                events.append(try #require(current))
                current = nil
            default: current?[String(line[..<colon])] = String(line[line.index(after: colon)...])
            }
        }
        return events
    }

    @Test func `a person's shifts are events, and nobody else's`() throws {
        let berlin = try TimeZone.load("Europe/Berlin")
        let start = (RFC3339.milliseconds(parsing: "2026-03-02T09:00:00Z") ?? 0) / 1000
        let name = "Früh, spät; \"Nacht\" " + String(repeating: "lang ", count: 20)
        var roster = Roster()
        roster.schedules[name] = Schedule(
            name: name, zone: berlin,
            layers: [.init(rotation: Rotation(people: ["ada", "bob"], length: .days(7), start: start))])
        let now = Timestamp(milliseconds: RFC3339.milliseconds(parsing: "2026-03-20T12:00:00Z") ?? 0)
        let events = try events(ICalendar.feed(of: "bob", in: roster, at: now, host: "tribune.example"))
        // The second week, and every second one after it; local nine o'clock on both sides of the change of clocks.
        #expect(events.first?["DTSTART"] == "20260309T080000Z" && events.first?["DTEND"] == "20260316T080000Z")
        #expect(events[1]["DTSTART"] == "20260323T080000Z" && events[1]["DTEND"] == "20260330T070000Z")
        #expect(events.allSatisfy { $0["SUMMARY"]?.hasPrefix("On call: Früh\\, spät\\; \"Nacht\"") == true })
        #expect(Set(events.compactMap { $0["UID"] }).count == events.count)
        #expect(try self.events(ICalendar.feed(of: "eve", in: roster, at: now, host: "x")).isEmpty)
    }
}
