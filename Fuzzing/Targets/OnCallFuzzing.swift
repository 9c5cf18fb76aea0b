import MetricModel
import OnCall
import Runtime
import YAML

/// What people and calendar programs write for on-call, and the journal of its pages.
enum OnCallFuzzing {
    private static let roster: Roster = {
        let text = """
            people:
            - {name: ada, known_as: ["Ada Lovelace", ada@example.org], contacts: [{receiver: r}]}
            - {name: bob, contacts: [{receiver: r}]}
            """
        do {
            guard let node = try YAML.document(Array(text.utf8), file: "oncall.yml") else { return Roster() }
            return try OnCallConfiguration(node, file: "oncall.yml").roster
        } catch {
            // Without people no calendar would be read: the target would find nothing.
            fatalError("\(error)")
        }
    }()

    /// The year around which the corpus is written.
    private static let window = Timestamp(milliseconds: 1_767_225_600_000)..<Timestamp(milliseconds: 1_798_761_600_000)

    static func calendarFinding(in bytes: [UInt8]) -> String? {
        let file: CalendarFile
        do {
            file = try CalendarFile(bytes)
        } catch {
            return error.message.isEmpty ? "an error without text" : nil
        }
        for zone in ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"] {
            // The package tzdata has it; a target without zones would find nothing.
            guard let zone = try? TimeZone.load(zone) else { return "no time zone \(zone)" }
            let reading: CalendarFile.Reading
            do {
                reading = try file.shifts(in: window, zone: zone, people: CalendarPeople(roster))
            } catch {
                if error.message.isEmpty { return "an error without text" }
                continue
            }
            if let fault = fault(of: reading) { return "\(zone.name): \(fault)" }
            // What programs that end lines in another way write is the same calendar.
            let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            guard !lines.contains(where: { $0.last == UInt8(ascii: "\r") }) else { continue }
            let other = Array(lines.joined(separator: Array("\r\n".utf8)))
            // A file that is refused with other line ends differs as well.
            guard let again = try? CalendarFile(other), again == file else { return "differs with other line ends" }
        }
        return nil
    }

    private static func fault(of reading: CalendarFile.Reading) -> String? {
        for shift in reading.shifts {
            if shift.from >= shift.until { return "an empty shift" }
            if shift.until <= window.lowerBound || shift.from >= window.upperBound {
                return "a shift beside the window"
            }
            if shift.person.map({ roster.people[$0] == nil }) ?? true { return "a shift of nobody" }
        }
        for (one, next) in zip(reading.shifts, reading.shifts.dropFirst()) {
            if one.until > next.from { return "shifts overlap" }
            if one.until == next.from, one.person == next.person { return "a shift in two parts" }
        }
        return reading.unknown.count == min(20, reading.unknownCount) ? nil : "events are counted wrongly"
    }

    /// A schedule of a file has at each moment the person of the shift there, and shifts leave no hole.
    static func configurationFinding(in bytes: [UInt8]) -> String? {
        let configuration: OnCallConfiguration
        do {
            guard let node = try YAML.document(bytes, file: "oncall.yml") else { return nil }
            configuration = try OnCallConfiguration(node, file: "oncall.yml")
        } catch {
            return error.message.isEmpty ? "an error without text" : nil
        }
        let end = window.lowerBound + .hours(24 * 14)
        for schedule in configuration.roster.schedules.values {
            let shifts = schedule.shifts(from: window.lowerBound, until: end)
            guard shifts.first?.from == window.lowerBound, shifts.last?.until == end else {
                return "shifts with a hole"
            }
            for (one, next) in zip(shifts, shifts.dropFirst()) where one.until != next.from { return "a hole" }
            for shift in shifts {
                if schedule.person(at: shift.from) != shift.person { return "another person at \(shift.from)" }
                let last = shift.until - .milliseconds(1)
                if schedule.person(at: last) != shift.person { return "another person at \(last)" }
            }
        }
        return nil
    }

    /// What is read from a journal is written and read back, and is a sound book of pages.
    static func journalFinding(in bytes: [UInt8]) -> String? {
        guard let record = PageBook.Record(payload: bytes) else { return nil }
        guard PageBook.Record(payload: record.payload) == record else { return "not read back" }
        var book = PageBook(roster)
        let now = window.lowerBound
        book.restored([record], at: now)
        _ = book.resumed()
        _ = book.clockReached(now)
        _ = book.clockReached(window.upperBound)
        guard PageBook.Record(payload: book.record(at: now).payload) == book.record(at: now) else {
            return "the book is not read back"
        }
        return nil
    }
}
