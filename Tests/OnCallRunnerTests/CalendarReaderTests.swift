import Instrumentation
import MetricModel
import Receivers
import Runtime
import Synchronization
import TestSupport
import Testing
import YAML

@testable import OnCall
@testable import OnCallRunner

@Suite struct CalendarReaderTests {
    private let directory = TemporaryDirectory()

    /// A place for calendars that a test fills, and that fails without one.
    private final class Place: Sendable {
        let text = Mutex<String?>(nil)
        let reads = Atomic(0)
    }

    private let place = Place()

    private static func calendar(_ person: String) -> String {
        """
        BEGIN:VCALENDAR
        BEGIN:VEVENT
        SUMMARY:\(person)
        DTSTART:20200101T000000Z
        DURATION:P7D
        RRULE:FREQ=WEEKLY
        END:VEVENT
        END:VCALENDAR
        """
    }

    private func runner(_ registry: Registry = Registry(), url: String = "https://calendar/1") throws -> OnCallRunner {
        let text = """
            people: [{name: ada, contacts: [{receiver: one}]}, {name: bob, contacts: [{receiver: one}]}]
            schedules:
            - name: primary
              calendar: {url: '\(url)', refresh: 1s}
            """
        let file = try OnCallConfiguration(YAML.parse(Array(text.utf8), file: "oncall.yml")[0], file: "oncall.yml")
        var settings = OnCallRunner.Settings(directory: directory.path, externalURL: "http://here", registry: registry)
        settings.fetch = { [place] (_, _) throws(CalendarFetchError) in
            place.reads.add(1, ordering: .relaxed)
            guard let text = place.text.withLock({ $0 }) else { throw CalendarFetchError("connection refused") }
            return Array(text.utf8)
        }
        let runner = try OnCallRunner(
            OnCallRunner.Configuration(file, receivers: [:], templates: .defaults), settings: settings)
        try runner.start()
        return runner
    }

    private func person(_ runner: OnCallRunner) -> String? {
        runner.book.roster.schedules["primary"]?.person(at: OnCallRunner.wall)
    }

    private func value(_ name: String, in registry: Registry) -> Double? {
        for member in registry.snapshot().first(where: { $0.name == name })?.members ?? [] {
            if case .number(let value) = member.value { return value }
        }
        return nil
    }

    @Test func `a calendar is read again, and the last good one stays in force`() throws {
        let registry = Registry()
        place.text.withLock { $0 = Self.calendar("ada") }
        let runner = try runner(registry)
        defer { runner.stop() }
        #expect(Loopback.eventually { person(runner) == "ada" })
        place.text.withLock { $0 = Self.calendar("bob") }
        #expect(Loopback.eventually { person(runner) == "bob" })
        #expect(value("tribune_oncall_calendar_failing_seconds", in: registry) == 0)

        place.text.withLock { $0 = "<html>sign in</html>" }
        #expect(Loopback.eventually { value("tribune_oncall_calendar_failing_seconds", in: registry) ?? 0 > 0 })
        let reads = place.reads.load(ordering: .relaxed)
        #expect(Loopback.eventually { place.reads.load(ordering: .relaxed) > reads + 1 })
        #expect(person(runner) == "bob")
        place.text.withLock { $0 = Self.calendar("somebody") }
        #expect(Loopback.eventually { value("tribune_oncall_calendar_unknown_events", in: registry) == 1 })
        #expect(Loopback.eventually { value("tribune_oncall_calendar_failing_seconds", in: registry) == 0 })
        #expect(Loopback.eventually { person(runner) == nil })
    }

    @Test func `after a restart the kept calendar counts until the place responds, and never another place's`() throws {
        place.text.withLock { $0 = Self.calendar("ada") }
        let first = try runner()
        #expect(Loopback.eventually { person(first) == "ada" })
        #expect(Loopback.eventually { !Paths.existing("\(directory.path)/calendar-*.ics").isEmpty })
        first.stop()
        place.text.withLock { $0 = nil }
        let second = try runner()
        #expect(Loopback.eventually { person(second) == "ada" })
        second.stop()
        let third = try runner(url: "https://calendar/2")
        defer { third.stop() }
        let reads = place.reads.load(ordering: .relaxed)
        #expect(Loopback.eventually { place.reads.load(ordering: .relaxed) > reads })
        #expect(person(third) == nil && Paths.existing("\(directory.path)/calendar-*.ics").isEmpty)
    }
}
