import MetricModel
import Runtime
import TestSupport
import Testing
import YAML

@testable import OnCall

@Suite struct ScheduleTests {
    private static let week = """
        people:
        - {name: ada, contacts: [{receiver: ada}]}
        - {name: bob, contacts: [{receiver: bob}]}
        - {name: eve, contacts: [{receiver: eve}]}
        schedules:
        - name: primary
          time_zone: Europe/Berlin
          layers:
          - {people: [ada, bob], turn: 7d, from: "2026-01-05 09:00"}
          - {people: [eve], turn: 7d, from: "2026-01-05 00:00", only: [{days: [saturday, sunday]}]}
          overrides:
          - {person: eve, from: "2026-01-07T12:00:00+01:00", until: "2026-01-07T13:00:00+01:00"}
        """

    private func schedule(_ text: String) throws -> Schedule {
        let roster = try OnCallConfiguration(
            try YAML.parse(Array(text.utf8), file: "oncall.yml")[0], file: "oncall.yml"
        ).roster
        return try #require(roster.schedules.values.first)
    }

    private func time(_ text: String) throws -> Timestamp {
        Timestamp(milliseconds: try #require(RFC3339.milliseconds(parsing: text)))
    }

    @Test(
        arguments: [
            ("2026-01-05T08:59:59+01:00", nil), ("2026-01-05T09:00:00+01:00", "ada"),
            ("2026-01-07T11:59:59+01:00", "ada"),
            ("2026-01-07T12:00:00+01:00", "eve"), ("2026-01-07T13:00:00+01:00", "ada"),
            ("2026-01-09T23:59:59+01:00", "ada"),
            ("2026-01-10T00:00:00+01:00", "eve"), ("2026-01-12T00:00:00+01:00", "ada"),
            ("2026-01-12T09:00:00+01:00", "bob"),
            // The hand-over stays at nine o'clock when clocks change on March 29.
            ("2026-03-30T08:59:59+02:00", "bob"), ("2026-03-30T09:00:00+02:00", "ada"),
        ] as [(String, String?)])
    func `layers and overrides count in their order`(moment: String, person: String?) throws {
        #expect(try schedule(Self.week).person(at: time(moment)) == person)
    }

    @Test func `shifts are listed without a hole, each with the person on call`() throws {
        let schedule = try schedule(Self.week)
        let (from, until) = (try time("2026-01-01T00:00:00Z"), try time("2026-02-01T00:00:00Z"))
        let shifts = schedule.shifts(from: from, until: until)
        #expect(shifts.first?.person == nil && shifts.first?.from == from && shifts.last?.until == until)
        for (shift, next) in zip(shifts, shifts.dropFirst()) {
            #expect(shift.until == next.from && shift.person != next.person)
        }
        var moment = from
        var index = 0
        while moment < until {
            while shifts[index].until <= moment { index += 1 }
            #expect(schedule.person(at: moment) == shifts[index].person)
            moment = moment + .minutes(17)
        }
        #expect(shifts.count == 14)
    }

    @Test func `turns of hours do not follow the change of clocks`() throws {
        let schedule = try schedule(
            """
            people: [{name: a, contacts: [{receiver: a}]}, {name: b, contacts: [{receiver: b}]}]
            schedules:
            - name: s
              time_zone: Europe/Berlin
              layers: [{people: [a, b], turn: 12h, from: "2026-03-28 08:00"}]
            """)
        // 2 turns take 24 hours, which end at 09:00 summer time.
        let turn = schedule.layers[0].rotation.turn(at: try time("2026-03-29T08:30:00+02:00"), in: schedule.zone)
        #expect(turn?.person == "b")
        #expect(try turn?.until == time("2026-03-29T09:00:00+02:00"))
    }

    /// Hand-overs of ten years as Python's zoneinfo computes them.
    @Test(arguments: [
        "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe",
        "Pacific/Chatham", "Africa/Casablanca",
    ])
    func `hand-overs are those of an independent calendar`(zone: String) throws {
        let program = """
            import sys, datetime, zoneinfo
            zone = zoneinfo.ZoneInfo(sys.argv[1])
            local = datetime.datetime(2020, 1, 6, 2, 30)
            while local.year < 2030:
                print(int(local.replace(tzinfo=zone).timestamp()))
                local += datetime.timedelta(days=1)
            """
        let expected = ShellCommand.run("python3 -c '\(program)' \(zone)").split(separator: "\n").compactMap {
            Int64($0)
        }
        try #require(expected.count == 3648)
        let rotation = Rotation(
            people: ["a", "b", "c"], length: .days(1), start: try #require(LocalTime.seconds("2020-01-06 02:30")))
        let zone = try TimeZone.load(zone)
        for (number, second) in expected.enumerated() {
            let turn = try #require(rotation.turn(at: Timestamp(milliseconds: second * 1000), in: zone))
            #expect(turn.number == Int64(number) && turn.from.milliseconds == second * 1000, "\(number)")
            let before = rotation.turn(at: Timestamp(milliseconds: second * 1000 - 1), in: zone)
            #expect(before.map { $0.number == Int64(number) - 1 } ?? (number == 0), "\(number)")
        }
    }
}
