public import JSON
internal import MetricModel
internal import Runtime

/// The export of another on-call tool as an `oncall.yml`. A value.
public struct ImportedRoster: Equatable, Sendable {
    /// The tools whose exports are read.
    public enum Format: String, Equatable, Sendable, CaseIterable {
        case grafanaOnCall = "grafana-oncall"
        case pagerduty
        case opsgenie
    }

    /// A way to reach a person.
    struct Contact: Equatable, Sendable {
        var receiver: String
        var minutes: Int64
    }

    struct Person: Equatable, Sendable {
        var name: String
        var contacts: [Contact]
    }

    /// A part of a day: minutes after midnight, `until` up to 1440; none of `days` means every day.
    struct Window: Equatable, Sendable {
        var days: [Int]
        var from: Int
        var until: Int
    }

    struct Layer: Equatable, Sendable {
        var people: [String]
        var hours: Int64
        /// Seconds since 1970-01-01 local time.
        var start: Int64
        var windows: [Window] = []
    }

    struct Override: Equatable, Sendable {
        var person: String
        var from: Timestamp
        var until: Timestamp
    }

    struct Schedule: Equatable, Sendable {
        var name: String
        var zone: String
        /// The least important first.
        var layers: [Layer] = []
        var overrides: [Override] = []
    }

    struct Step: Equatable, Sendable {
        var minutes: Int64
        /// Pairs of `person`, `schedule` or `receiver` with a name.
        var targets: [(kind: String, name: String)]

        static func == (left: Step, right: Step) -> Bool {
            left.minutes == right.minutes && left.targets.elementsEqual(right.targets, by: ==)
        }
    }

    struct Policy: Equatable, Sendable {
        var name: String
        var steps: [Step] = []
        var repeats = 0
        var roundMinutes: Int64?
    }

    /// The parts that could not be carried over, a sentence each.
    public internal(set) var remarks: [String] = []
    var people: [Person] = []
    var schedules: [Schedule] = []
    var policies: [Policy] = []

    /// Reads an export: objects with the lists that the tool's API returns, merged.
    public init(_ format: Format, _ objects: [JSON]) throws(InboundError) {
        let export = Export(objects)
        switch format {
        case .grafanaOnCall: try readGrafana(export)
        case .pagerduty: try readPagerDuty(export)
        case .opsgenie: try readOpsgenie(export)
        }
        // A policy without a step and a schedule without a layer are not valid.
        for schedule in schedules where schedule.layers.isEmpty {
            remarks.append("schedule \"\(schedule.name)\" has no rotation that could be read, and is left out")
        }
        schedules.removeAll(where: \.layers.isEmpty)
        let known = Set(schedules.map(\.name))
        for index in policies.indices {
            for step in policies[index].steps.indices {
                policies[index].steps[step].targets.removeAll { $0.kind == "schedule" && !known.contains($0.name) }
            }
            policies[index].steps.removeAll(where: \.targets.isEmpty)
            if policies[index].steps.isEmpty {
                remarks.append("policy \"\(policies[index].name)\" has no step that could be read, and is left out")
            }
        }
        policies.removeAll(where: \.steps.isEmpty)
    }

    /// The `oncall.yml`.
    public var yaml: String {
        var text = ""
        for remark in remarks { text += "# \(remark.split(whereSeparator: \.isNewline).joined(separator: " "))\n" }
        text += "people:\n"
        for person in people {
            text += "- name: \(Self.quoted(person.name))\n  contacts:\n"
            for contact in person.contacts {
                let after = contact.minutes > 0 ? ", after: \(contact.minutes)m" : ""
                text += "  - {receiver: \(Self.quoted(contact.receiver))\(after)}\n"
            }
        }
        if !schedules.isEmpty { text += "schedules:\n" }
        for schedule in schedules { text += Self.text(schedule) }
        if !policies.isEmpty { text += "policies:\n" }
        for policy in policies {
            text += "- name: \(Self.quoted(policy.name))\n  steps:\n"
            for step in policy.steps {
                let after = step.minutes > 0 ? "after: \(step.minutes)m, " : ""
                let targets = step.targets.map { "{\($0.kind): \(Self.quoted($0.name))}" }.joined(separator: ", ")
                text += "  - {\(after)notify: [\(targets)]}\n"
            }
            if policy.repeats > 0 { text += "  repeats: \(policy.repeats)\n" }
            if let minutes = policy.roundMinutes { text += "  repeat_after: \(minutes)m\n" }
        }
        return text
    }

    private static func text(_ schedule: Schedule) -> String {
        var text = "- name: \(quoted(schedule.name))\n  time_zone: \(quoted(schedule.zone))\n  layers:\n"
        for layer in schedule.layers {
            let people = layer.people.map(quoted).joined(separator: ", ")
            text += "  - people: [\(people)]\n    turn: \(layer.hours)h\n    from: \"\(local(layer.start))\"\n"
            if layer.windows.isEmpty { continue }
            text += "    only:\n"
            for window in layer.windows {
                let days =
                    window.days.isEmpty ? "" : "days: [\(window.days.map { Self.days[$0] }.joined(separator: ", "))], "
                text += "    - {\(days)from: \"\(clock(window.from))\", until: \"\(clock(window.until))\"}\n"
            }
        }
        if !schedule.overrides.isEmpty { text += "  overrides:\n" }
        for override in schedule.overrides {
            let times = [override.from, override.until].map { RFC3339.text(milliseconds: $0.milliseconds) }
            text += "  - {person: \(quoted(override.person)), from: \"\(times[0])\", until: \"\(times[1])\"}\n"
        }
        return text
    }

    static let days = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]

    /// JSON strings are YAML strings.
    private static func quoted(_ text: String) -> String { JSON.string(text).encoded }

    private static func local(_ seconds: Int64) -> String {
        let text = RFC3339.text(milliseconds: seconds * 1000)
        return text.prefix(10) + " " + text.dropFirst(11).prefix(5)
    }

    private static func clock(_ minutes: Int) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return two(minutes / 60) + ":" + two(minutes % 60)
    }

    // MARK: What the readers share

    /// The lists of an export by their names.
    struct Export {
        private let objects: [JSON]

        init(_ objects: [JSON]) { self.objects = objects }

        /// The elements of every list called `name`, also below `data` or `results`.
        func list(_ name: String) -> [JSON] {
            objects.flatMap { object -> [JSON] in
                let value = object[name]
                return value?.elements ?? value?["data"]?.elements ?? value?["results"]?.elements ?? []
            }
        }
    }

    /// The zone called `zone`.
    static func zone(_ zone: String, of schedule: String) throws(InboundError) -> TimeZone {
        do throws(TimeZoneError) { return try TimeZone.load(zone) } catch {
            throw InboundError("schedule \"\(schedule)\": time zone \"\(zone)\": \(error.reason)")
        }
    }

    /// Seconds since 1970-01-01 on local clocks at a moment of RFC 3339; `nil` for another text.
    static func localSeconds(_ text: String, _ zone: TimeZone) -> Int64? {
        guard let milliseconds = RFC3339.milliseconds(parsing: text) else { return nil }
        let seconds = milliseconds / 1000
        // Rotations begin at whole minutes.
        return (seconds + zone.offset(at: seconds)) / 60 * 60
    }

    /// Windows of `length` minutes from `start` on, on `days`: a window goes at most into the next day.
    static func windows(days: [Int], start: Int, length: Int) -> [Window] {
        guard length < 10_080 else { return [] }
        if length == 1440, days.isEmpty { return [] }
        if length < 1440 {
            return [
                Window(days: days, from: start, until: (start + length) % 1440 == 0 ? 1440 : (start + length) % 1440)
            ]
        }
        var windows: [Window] = []
        for day in days {
            var rest = length
            var (day, from) = (day, start)
            while rest > 0 {
                let part = min(rest, 1440 - from)
                windows.append(Window(days: [day], from: from, until: from + part))
                (day, from, rest) = ((day + 1) % 7, 0, rest - part)
            }
        }
        return windows
    }
}
