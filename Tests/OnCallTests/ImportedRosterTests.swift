import JSON
import MetricModel
import Runtime
import TestSupport
import Testing

@testable import OnCall

/// Exports in the form of the vendors' API documentation.
@Suite struct ImportedRosterTests {
    private func roster(_ format: ImportedRoster.Format, _ objects: String...) throws -> (ImportedRoster, Roster) {
        let imported = try ImportedRoster(format, objects.map { try JSON(parsing: $0) })
        let path = TemporaryDirectory.imports.write(imported.yaml, to: "\(format.rawValue).yml")
        // What is printed is a valid file.
        return (imported, try OnCallConfiguration.load(path).roster)
    }

    private func time(_ text: String) -> Timestamp {
        Timestamp(milliseconds: RFC3339.milliseconds(parsing: text) ?? 0)
    }

    @Test func `PagerDuty's layers, restrictions, overrides and escalation rules are carried over`() throws {
        let (imported, roster) = try roster(
            .pagerduty,
            """
            {"users":[{"id":"P1","name":"Ada"},{"id":"P2","name":"Bob: \\"the\\" builder"}]}
            """,
            """
            {"schedules":[{"id":"S1","name":"Primary","time_zone":"Europe/Berlin","schedule_layers":[
             {"name":"Nights","rotation_virtual_start":"2026-01-05T18:00:00+01:00","rotation_turn_length_seconds":86400,
              "users":[{"user":{"id":"P2","type":"user_reference"}}],
              "restrictions":[{"type":"daily_restriction","start_time_of_day":"18:00:00","duration_seconds":50400}]},
             {"name":"Week","start":"2026-01-05T09:00:00+01:00","rotation_virtual_start":"2026-01-05T09:00:00+01:00",
              "rotation_turn_length_seconds":604800,"users":[{"user":{"id":"P1"}},{"user":{"id":"P2"}}],"restrictions":[]},
             {"name":"Old","end":"2025-01-01T00:00:00Z","users":[{"user":{"id":"P1"}}]}],
             "overrides_subschedule":{"rendered_schedule_entries":[{"user":{"id":"P2"},"start":"2026-02-03T10:00:00+01:00",
              "end":"2026-02-03T11:00:00+01:00"}]}}]}
            """,
            """
            {"escalation_policies":[{"id":"E1","name":"Default","num_loops":2,"escalation_rules":[
             {"escalation_delay_in_minutes":5,"targets":[{"id":"S1","type":"schedule_reference"}]},
             {"escalation_delay_in_minutes":10,"targets":[{"id":"P1","type":"user_reference"},{"id":"X","type":"user"}]}]}]}
            """)
        let schedule = try #require(roster.schedules["Primary"])
        #expect(schedule.zone.name == "Europe/Berlin" && schedule.layers.count == 2)
        // The first layer of the API counts most; Ada has the first week by day.
        #expect(schedule.person(at: time("2026-01-06T12:00:00+01:00")) == "Ada")
        #expect(schedule.person(at: time("2026-01-06T23:00:00+01:00")) == "Bob: \"the\" builder")
        #expect(schedule.person(at: time("2026-01-13T12:00:00+01:00")) == "Bob: \"the\" builder")
        #expect(schedule.person(at: time("2026-02-03T10:30:00+01:00")) == "Bob: \"the\" builder")
        let policy = try #require(roster.policies["Default"])
        #expect(
            policy.steps == [
                .init(delay: .zero, targets: [.schedule("Primary")]),
                .init(delay: .minutes(5), targets: [.person("Ada")]),
            ])
        #expect(policy.repeats == 2 && policy.roundLength == .minutes(15))
        #expect(imported.remarks.count == 2, "\(imported.remarks)")
    }

    @Test func `Opsgenie's rotations, restrictions and escalations are carried over`() throws {
        let (imported, roster) = try roster(
            .opsgenie,
            """
            {"users":{"data":[{"id":"u1","username":"ada@x.example","fullName":"Ada"},{"id":"u2","username":"bob@x.example",
             "fullName":"Bob"}]}}
            """,
            """
            {"schedules":[{"id":"s1","name":"Ops","timezone":"America/New_York","rotations":[
             {"name":"Week","startDate":"2026-03-02T14:00:00Z","type":"weekly","length":1,
              "participants":[{"type":"user","id":"u1"},{"type":"user","username":"bob@x.example"},{"type":"team","id":"t"}]},
             {"name":"Weekend","startDate":"2026-03-02T14:00:00Z","type":"daily","length":2,
              "participants":[{"type":"user","id":"u2"}],"timeRestriction":{"type":"weekday-and-time-of-day",
              "restrictions":[{"startDay":"friday","startHour":18,"startMin":0,"endDay":"monday","endHour":8,"endMin":0}]}}]}]}
            """,
            """
            {"escalations":[{"name":"Ops escalation","rules":[
             {"condition":"if-not-acked","notifyType":"default","delay":{"timeAmount":1,"timeUnit":"hours"},
              "recipient":{"type":"user","id":"u2"}},
             {"condition":"if-not-acked","delay":{"timeAmount":0},"recipient":{"type":"schedule","id":"s1","name":"Ops"}},
             {"delay":{"timeAmount":5},"recipient":{"type":"team","id":"t"}}],"repeat":{"waitInterval":10,"count":3}}]}
            """)
        let schedule = try #require(roster.schedules["Ops"])
        #expect(schedule.person(at: time("2026-03-03T12:00:00-05:00")) == "Ada")
        // From Friday evening to Monday morning, over two midnights and the change of clocks.
        for text in ["2026-03-06T18:00:00-05:00", "2026-03-07T12:00:00-05:00", "2026-03-09T07:59:00-04:00"] {
            #expect(schedule.person(at: time(text)) == "Bob", "\(text)")
        }
        #expect(schedule.person(at: time("2026-03-06T17:59:00-05:00")) == "Ada")
        #expect(schedule.person(at: time("2026-03-09T08:00:00-04:00")) == "Ada")
        let policy = try #require(roster.policies["Ops escalation"])
        #expect(
            policy.steps == [
                .init(delay: .zero, targets: [.schedule("Ops")]), .init(delay: .hours(1), targets: [.person("Bob")]),
            ])
        #expect(policy.repeats == 3 && policy.roundLength == .minutes(70))
        #expect(imported.remarks.count == 3, "\(imported.remarks)")
    }

    @Test func `Grafana OnCall's shifts, chains and personal rules are carried over`() throws {
        let (imported, roster) = try roster(
            .grafanaOnCall, "{\"users\":[{\"id\":\"U1\",\"username\":\"ada\"},{\"id\":\"U2\",\"username\":\"bob\"}]}",
            """
            {"personal_notification_rules":{"results":[
             {"user_id":"U1","position":1,"important":false,"type":"wait","duration":300},
             {"user_id":"U1","position":0,"important":false,"type":"notify_by_slack"},
             {"user_id":"U1","position":2,"important":false,"type":"notify_by_sms"},
             {"user_id":"U1","position":0,"important":true,"type":"notify_by_phone_call"}]}}
            """,
            """
            {"schedules":[{"id":"S1","name":"primary","type":"calendar","time_zone":"Europe/Berlin","shifts":["O1","O2","O3"]}],
             "on_call_shifts":[
             {"id":"O1","type":"rolling_users","level":0,"time_zone":null,"start":"2026-01-05T09:00:00","duration":604800,
              "frequency":"weekly","interval":1,"rolling_users":[["U1"],["U2","U1"]],"start_rotation_from_user_index":1},
             {"id":"O2","type":"rolling_users","level":1,"start":"2026-01-05T12:00:00","duration":7200,"frequency":"weekly",
              "interval":1,"by_day":["TU","TH"],"rolling_users":[["U1"]]},
             {"id":"O3","type":"single_event","level":2,"start":"2026-01-07T08:00:00","duration":3600,"users":["U1"]}]}
            """,
            """
            {"escalation_chains":[{"id":"C1","name":"chain"}],"escalation_policies":[
             {"escalation_chain_id":"C1","position":2,"type":"notify_persons","persons_to_notify":["U2"]},
             {"escalation_chain_id":"C1","position":1,"type":"wait","duration":900},
             {"escalation_chain_id":"C1","position":0,"type":"notify_on_call_from_schedule","notify_on_call_from_schedule":"S1"},
             {"escalation_chain_id":"C1","position":3,"type":"trigger_webhook"},
             {"escalation_chain_id":"C1","position":4,"type":"repeat_escalation"}]}
            """)
        #expect(
            roster.people["ada"]?.contacts == [
                .init(receiver: "ada_slack", delay: .zero), .init(receiver: "ada_sms", delay: .minutes(5)),
            ])
        let schedule = try #require(roster.schedules["primary"])
        #expect(schedule.person(at: time("2026-01-05T10:00:00+01:00")) == "bob")
        #expect(schedule.person(at: time("2026-01-06T13:00:00+01:00")) == "ada")
        #expect(schedule.person(at: time("2026-01-06T14:00:00+01:00")) == "bob")
        #expect(schedule.person(at: time("2026-01-07T08:30:00+01:00")) == "ada")
        #expect(schedule.person(at: time("2026-01-12T10:00:00+01:00")) == "ada")
        let policy = try #require(roster.policies["chain"])
        #expect(
            policy.steps == [
                .init(delay: .zero, targets: [.schedule("primary")]),
                .init(delay: .minutes(15), targets: [.person("bob")]),
            ])
        #expect(policy.repeats == 5)
        #expect(imported.remarks.count == 2, "\(imported.remarks)")
    }

    @Test func `what is no export is refused, and broken elements are left out`() throws {
        for format in ImportedRoster.Format.allCases {
            #expect(throws: InboundError.self) { try ImportedRoster(format, [["users": []]]) }
            #expect(throws: InboundError.self) { try ImportedRoster(format, [[:]]) }
            let broken: JSON = [
                "users": [["id": "u", "name": "n", "username": "n", "fullName": "n"], 3, [:]],
                "schedules": [["id": "s", "name": "s", "rotations": [3], "schedule_layers": [[:]], "shifts": ["x"]]],
                "escalation_policies": [["name": "e", "escalation_rules": [[:]]]], "escalations": [["name": "e"]],
                "escalation_chains": [["id": "e"]],
            ]
            let imported = try ImportedRoster(format, [broken])
            #expect(imported.schedules.isEmpty && imported.policies.isEmpty && imported.people.count == 1)
            #expect(!imported.remarks.isEmpty)
        }
    }
}

extension TemporaryDirectory {
    /// A directory that lives as long as the tests.
    fileprivate static let imports = TemporaryDirectory()
}
