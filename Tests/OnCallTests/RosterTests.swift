import MetricModel
import Testing
import YAML

@testable import OnCall

@Suite struct RosterTests {
    private static let people = "people: [{name: a, contacts: [{receiver: r}, {receiver: phone, after: 5m}]}]\n"

    private func roster(_ text: String) throws -> Roster {
        try OnCallConfiguration(try YAML.parse(Array(text.utf8), file: "oncall.yml")[0], file: "oncall.yml").roster
    }

    @Test func `every field is read`() throws {
        let roster = try roster(
            Self.people + """
                teams: [{name: t, people: [a]}]
                policies:
                - name: p
                  repeats: 2
                  repeat_after: 1h
                  acknowledgement_timeout: 2h
                  steps:
                  - notify: [{person: a}]
                  - {after: 15m, notify: [{team: t}, {receiver: boss}]}
                """)
        #expect(
            roster.people["a"]?.contacts == [
                .init(receiver: "r", delay: .zero), .init(receiver: "phone", delay: .minutes(5)),
            ])
        #expect(
            roster.policies["p"]
                == EscalationPolicy(
                    name: "p",
                    steps: [
                        .init(delay: .zero, targets: [.person("a")]),
                        .init(delay: .minutes(15), targets: [.team("t"), .receiver("boss")]),
                    ], repeats: 2, roundLength: .hours(1), acknowledgementTimeout: .hours(2)))
    }

    @Test(arguments: [
        ("peoples: []", "1:1: peoples: unknown field"),
        ("people: [{name: a}]", "people[0].contacts: at least one contact is required"),
        (people + "teams: [{name: t, people: [b]}]", "teams[0].people[0]: there is no person \"b\" under people"),
        (people + "policies: [{name: p, steps: []}]", "policies[0].steps: at least one step is required"),
        (people + "policies: [{name: p, steps: [{notify: [{person: b}]}]}]", "there is no person \"b\" under people"),
        (people + "policies: [{name: p, steps: [{notify: [{person: a, team: a}]}]}]", "exactly one of person, team"),
        (
            people + "policies: [{name: p, steps: [{after: 5m, notify: [{person: a}]}, {notify: [{person: a}]}]}]",
            "a step cannot fire before the step above it"
        ),
        (
            people + "policies: [{name: p, repeat_after: 5m, steps: [{after: 5m, notify: [{person: a}]}]}]",
            "a round must be longer"
        ),
        (
            people + "schedules: [{name: s, layers: []}]",
            "schedules[0].layers: at least one layer or a calendar is required"
        ),
        (people + "schedules: [{name: s, time_zone: Mars, layers: []}]", "time zone \"Mars\""),
        (
            people + "schedules: [{name: s, layers: [{people: [a], from: \"2026-02-30 09:00\"}]}]",
            "schedules[0].layers[0].from: expected a local date and time"
        ),
        (
            people + "schedules: [{name: s, layers: [{people: [a], turn: 90m, from: \"2026-02-20 09:00\"}]}]",
            "schedules[0].layers[0].turn: expected whole hours"
        ),
        (
            people
                + "schedules: [{name: s, layers: [{people: [a], from: \"2026-02-20 09:00\", only: [{days: [mon]}]}]}]",
            "expected a day such as monday, got \"mon\""
        ),
        ("people: [{name: a, contacts: [{receiver: r}]}, {name: a, contacts: [{receiver: r}]}]", "is not unique"),
    ])
    func `faults name the field`(text: String, message: String) throws {
        do {
            _ = try roster(text)
            Issue.record("no error")
        } catch {
            #expect("\(error)".contains(message), "\(error)")
            #expect("\(error)".hasPrefix("oncall.yml:"))
        }
    }
}
