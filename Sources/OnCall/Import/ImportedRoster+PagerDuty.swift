internal import JSON
internal import MetricModel
internal import Runtime

/// PagerDuty's REST API v2: `users`, `schedules` with `schedule_layers`, `escalation_policies`.
extension ImportedRoster {
    mutating func readPagerDuty(_ export: Export) throws(InboundError) {
        var names: [String: String] = [:]
        for user in export.list("users") {
            guard let id = user["id"]?.text, let name = user["name"]?.text ?? user["summary"]?.text else { continue }
            names[id] = name
            people.append(Person(name: name, contacts: [Contact(receiver: name, minutes: 0)]))
        }
        if people.isEmpty { throw InboundError("the export has no users") }
        var scheduleNames: [String: String] = [:]
        for schedule in export.list("schedules") {
            guard let id = schedule["id"]?.text, let name = schedule["name"]?.text else { continue }
            scheduleNames[id] = name
            schedules.append(try pagerDutySchedule(schedule, name, names))
        }
        for policy in export.list("escalation_policies") {
            policies.append(pagerDutyPolicy(policy, names, scheduleNames))
        }
    }

    private mutating func pagerDutySchedule(
        _ json: JSON, _ name: String, _ names: [String: String]
    ) throws(InboundError) -> Schedule {
        let zoneName = json["time_zone"]?.text ?? "UTC"
        let zone = try Self.zone(zoneName, of: name)
        var schedule = Schedule(name: name, zone: zoneName)
        // The API lists the layer that counts most first.
        for layer in (json["schedule_layers"]?.elements ?? []).reversed() {
            if layer["end"]?.text != nil {
                remarks.append("schedule \"\(name)\": a layer that ends is left out")
                continue
            }
            let people = (layer["users"]?.elements ?? []).compactMap { $0["user"]?["id"]?.text.flatMap { names[$0] } }
            let seconds = layer["rotation_turn_length_seconds"]?.integer ?? 0
            guard !people.isEmpty, seconds >= 3600, seconds % 3600 == 0,
                let start = (layer["rotation_virtual_start"]?.text ?? layer["start"]?.text)
                    .flatMap({ Self.localSeconds($0, zone) })
            else {
                remarks.append("schedule \"\(name)\": a layer without people, start or whole hours is left out")
                continue
            }
            var windows: [Window] = []
            for restriction in layer["restrictions"]?.elements ?? [] {
                windows += Self.pagerDutyWindows(restriction)
            }
            schedule.layers.append(Layer(people: people, hours: seconds / 3600, start: start, windows: windows))
        }
        for entry in json["overrides_subschedule"]?["rendered_schedule_entries"]?.elements ?? [] {
            guard let person = entry["user"]?["id"]?.text.flatMap({ names[$0] }),
                let from = entry["start"]?.text.flatMap({ RFC3339.milliseconds(parsing: $0) }),
                let until = entry["end"]?.text.flatMap({ RFC3339.milliseconds(parsing: $0) }), from < until
            else { continue }
            schedule.overrides.append(
                Override(
                    person: person, from: Timestamp(milliseconds: from), until: Timestamp(milliseconds: until)))
        }
        return schedule
    }

    private static func pagerDutyWindows(_ json: JSON) -> [Window] {
        let clock = (json["start_time_of_day"]?.text ?? "").split(separator: ":").compactMap { Int($0) }
        guard clock.count >= 2, let seconds = json["duration_seconds"]?.integer, seconds >= 60 else { return [] }
        // 1 is Monday, 7 is Sunday.
        let days = json["start_day_of_week"]?.integer.map { [Int($0 % 7)] } ?? []
        return windows(days: days, start: clock[0] * 60 + clock[1], length: Int(seconds / 60))
    }

    private mutating func pagerDutyPolicy(
        _ json: JSON, _ names: [String: String], _ schedules: [String: String]
    ) -> Policy {
        var policy = Policy(name: json["name"]?.text ?? "")
        var minutes: Int64 = 0
        for rule in json["escalation_rules"]?.elements ?? [] {
            var step = Step(minutes: minutes, targets: [])
            for target in rule["targets"]?.elements ?? [] {
                let id = target["id"]?.text ?? ""
                if target["type"]?.text?.hasPrefix("user") == true, let name = names[id] {
                    step.targets.append(("person", name))
                } else if let name = schedules[id] {
                    step.targets.append(("schedule", name))
                } else {
                    remarks.append("policy \"\(policy.name)\": the target \(id) is not in the export")
                }
            }
            policy.steps.append(step)
            minutes += rule["escalation_delay_in_minutes"]?.integer ?? 30
        }
        policy.repeats = Int(min(json["num_loops"]?.integer ?? 0, 100))
        policy.roundMinutes = minutes
        return policy
    }
}
