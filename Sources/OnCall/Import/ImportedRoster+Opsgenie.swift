internal import JSON
internal import MetricModel
internal import Runtime

/// Opsgenie's REST API: `users`, `schedules` with `rotations`, `escalations`, each as the API returns it.
extension ImportedRoster {
    mutating func readOpsgenie(_ export: Export) throws(InboundError) {
        var names: [String: String] = [:]
        for user in export.list("users") {
            guard let name = user["fullName"]?.text ?? user["username"]?.text else { continue }
            for key in [user["id"]?.text, user["username"]?.text].compactMap({ $0 }) { names[key] = name }
            people.append(Person(name: name, contacts: [Contact(receiver: name, minutes: 0)]))
        }
        if people.isEmpty { throw InboundError("the export has no users") }
        for schedule in export.list("schedules") { schedules.append(try opsgenieSchedule(schedule, names)) }
        for escalation in export.list("escalations") { policies.append(opsgeniePolicy(escalation, names)) }
    }

    private mutating func opsgenieSchedule(
        _ json: JSON, _ names: [String: String]
    ) throws(InboundError) -> Schedule {
        let name = json["name"]?.text ?? ""
        let zoneName = json["timezone"]?.text ?? "UTC"
        let zone = try Self.zone(zoneName, of: name)
        var schedule = Schedule(name: name, zone: zoneName)
        let rotations = json["rotations"]?.elements ?? []
        if rotations.count > 1 {
            remarks.append(
                "schedule \"\(name)\" has several rotations: in Opsgenie all of them are on call, here the last one that is in force"
            )
        }
        let hours: [String: Int64] = ["hourly": 1, "daily": 24, "weekly": 168]
        for rotation in rotations {
            let people = (rotation["participants"]?.elements ?? []).compactMap { participant in
                [participant["id"]?.text, participant["username"]?.text].compactMap { $0 }.compactMap { names[$0] }
                    .first
            }
            if people.count < rotation["participants"]?.elements?.count ?? 0 {
                remarks.append("schedule \"\(name)\": participants that are not users are left out")
            }
            guard !people.isEmpty, let unit = rotation["type"]?.text.flatMap({ hours[$0] }),
                let start = rotation["startDate"]?.text.flatMap({ Self.localSeconds($0, zone) })
            else { continue }
            if rotation["endDate"]?.text != nil {
                remarks.append("schedule \"\(name)\": a rotation that ends is left out")
                continue
            }
            schedule.layers.append(
                Layer(
                    people: people, hours: unit * max(1, rotation["length"]?.integer ?? 1), start: start,
                    windows: Self.opsgenieWindows(rotation["timeRestriction"] ?? .null)))
        }
        return schedule
    }

    private static func opsgenieWindows(_ json: JSON) -> [Window] {
        let all = json["restrictions"]?.elements ?? (json["restriction"].map { [$0] } ?? [])
        return all.flatMap { restriction -> [Window] in
            func minute(_ end: String) -> Int {
                Int((restriction["\(end)Hour"]?.integer ?? 0) * 60 + (restriction["\(end)Min"]?.integer ?? 0))
            }
            let (from, until) = (minute("start"), minute("end"))
            guard let first = restriction["startDay"]?.text.flatMap({ days.firstIndex(of: $0.lowercased()) }),
                let last = restriction["endDay"]?.text.flatMap({ days.firstIndex(of: $0.lowercased()) })
            else {
                return windows(days: [], start: from, length: (until - from + 1440) % 1440)
            }
            let length = ((last - first) * 1440 + until - from + 10_080) % 10_080
            return windows(days: [first], start: from, length: length == 0 ? 10_080 : length)
        }
    }

    private mutating func opsgeniePolicy(_ json: JSON, _ names: [String: String]) -> Policy {
        var policy = Policy(name: json["name"]?.text ?? "")
        let units: [String: Int64] = ["minutes": 1, "hours": 60, "days": 1440]
        for rule in json["rules"]?.elements ?? [] {
            let unit = units[rule["delay"]?["timeUnit"]?.text ?? "minutes"] ?? 1
            var step = Step(minutes: (rule["delay"]?["timeAmount"]?.integer ?? 0) * unit, targets: [])
            let recipient = rule["recipient"] ?? .null
            switch recipient["type"]?.text {
            case "user":
                let keys = [recipient["id"]?.text, recipient["username"]?.text].compactMap { $0 }
                if let name = keys.compactMap({ names[$0] }).first { step.targets.append(("person", name)) }
            case "schedule":
                if let name = recipient["name"]?.text { step.targets.append(("schedule", name)) }
            case let kind:
                remarks.append("policy \"\(policy.name)\": a step for a \(kind ?? "recipient") is left out")
            }
            policy.steps.append(step)
        }
        policy.steps.sort { $0.minutes < $1.minutes }
        if let count = json["repeat"]?["count"]?.integer, count > 0 {
            policy.repeats = Int(min(count, 100))
            let last = policy.steps.last?.minutes ?? 0
            policy.roundMinutes = last + max(1, json["repeat"]?["waitInterval"]?.integer ?? 15)
        }
        return policy
    }
}
