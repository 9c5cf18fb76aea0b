internal import JSON
internal import MetricModel
internal import Runtime

/// Grafana OnCall's API: `users`, `schedules`, `on_call_shifts`, `escalation_chains`, `escalation_policies`,
/// `personal_notification_rules`.
extension ImportedRoster {
    mutating func readGrafana(_ export: Export) throws(InboundError) {
        var names: [String: String] = [:]
        for user in export.list("users") {
            guard let id = user["id"]?.text, let name = user["username"]?.text else { continue }
            names[id] = name
            people.append(Person(name: name, contacts: grafanaContacts(id, name, export)))
        }
        if people.isEmpty { throw InboundError("the export has no users") }
        let shifts = Dictionary(
            export.list("on_call_shifts").compactMap { shift in shift["id"]?.text.map { ($0, shift) } },
            uniquingKeysWith: { first, _ in first })
        var scheduleNames: [String: String] = [:]
        for schedule in export.list("schedules") {
            guard let id = schedule["id"]?.text, let name = schedule["name"]?.text else { continue }
            scheduleNames[id] = name
            if schedule["type"]?.text == "ical" {
                remarks.append("schedule \"\(name)\" comes from a calendar, which is not imported")
            }
            let own = (schedule["shifts"]?.elements ?? []).compactMap { $0.text.flatMap { shifts[$0] } }
            schedules.append(try grafanaSchedule(schedule, name, own, names))
        }
        for chain in export.list("escalation_chains") {
            guard let id = chain["id"]?.text else { continue }
            let steps = export.list("escalation_policies").filter { $0["escalation_chain_id"]?.text == id }
                .sorted { ($0["position"]?.integer ?? 0) < ($1["position"]?.integer ?? 0) }
            policies.append(grafanaPolicy(chain["name"]?.text ?? id, steps, names, scheduleNames))
        }
    }

    /// The rules of a person that are not for important notifications.
    private func grafanaContacts(_ user: String, _ name: String, _ export: Export) -> [Contact] {
        let rules = export.list("personal_notification_rules").filter {
            $0["user_id"]?.text == user && $0["important"]?.bool != true
        }.sorted { ($0["position"]?.integer ?? 0) < ($1["position"]?.integer ?? 0) }
        var contacts: [Contact] = []
        var seconds: Int64 = 0
        for rule in rules {
            let type = rule["type"]?.text ?? ""
            if type == "wait" {
                seconds += rule["duration"]?.integer ?? 0
            } else {
                let way = type.replacing("notify_by_", with: "")
                contacts.append(Contact(receiver: "\(name)_\(way)", minutes: (seconds + 59) / 60))
            }
        }
        return contacts.isEmpty ? [Contact(receiver: name, minutes: 0)] : contacts
    }

    private mutating func grafanaSchedule(
        _ json: JSON, _ name: String, _ shifts: [JSON], _ names: [String: String]
    ) throws(InboundError) -> Schedule {
        let zoneName = json["time_zone"]?.text ?? "UTC"
        let zone = try Self.zone(zoneName, of: name)
        var schedule = Schedule(name: name, zone: zoneName)
        for shift in shifts.sorted(by: { ($0["level"]?.integer ?? 0) < ($1["level"]?.integer ?? 0) }) {
            guard
                let start = shift["start"]?.text.flatMap({ RFC3339.milliseconds(parsing: $0 + "Z") }).map({ $0 / 1000 }
                ),
                let duration = shift["duration"]?.integer, duration >= 60
            else { continue }
            let groups = shift["rolling_users"]?.elements?.map { $0.elements ?? [] } ?? [shift["users"]?.elements ?? []]
            let people = groups.compactMap { $0.lazy.compactMap { $0.text.flatMap { names[$0] } }.first }
            if groups.contains(where: { $0.count > 1 }) {
                remarks.append("schedule \"\(name)\": of people who are on call together the first is taken")
            }
            if people.isEmpty { continue }
            // Without a zone of its own a shift has that of the schedule; `UTC` is common.
            let own =
                try shift["time_zone"]?.text.map { (text) throws(InboundError) in try Self.zone(text, of: name) }
                ?? zone
            let moment = own.seconds(ofLocal: start)
            if shift["type"]?.text == "single_event" || shift["type"]?.text == "override" {
                let from = Timestamp(milliseconds: moment * 1000)
                schedule.overrides.append(
                    Override(person: people[0], from: from, until: from + .seconds(duration)))
                continue
            }
            let hours: [String: Int64] = ["hourly": 1, "daily": 24, "weekly": 168]
            guard let unit = shift["frequency"]?.text.flatMap({ hours[$0] }) else {
                remarks.append("schedule \"\(name)\": a shift by month is left out")
                continue
            }
            let turn = unit * max(1, shift["interval"]?.integer ?? 1)
            let local = moment + zone.offset(at: moment)
            let first = Int(max(0, shift["start_rotation_from_user_index"]?.integer ?? 0)) % people.count
            let byDay = (shift["by_day"]?.elements ?? []).compactMap { $0.text.flatMap(Self.grafanaDay) }
            var windows: [Window] = []
            if duration < turn * 3600 || !byDay.isEmpty {
                let days = byDay.isEmpty && unit == 168 ? [Int((local / 86_400 + 4) % 7)] : byDay
                windows = Self.windows(days: days, start: Int(local % 86_400 / 60), length: Int(duration / 60))
            }
            schedule.layers.append(
                Layer(
                    people: Array(people[first...] + people[..<first]), hours: turn, start: local, windows: windows))
        }
        return schedule
    }

    private static func grafanaDay(_ text: String) -> Int? {
        ["SU", "MO", "TU", "WE", "TH", "FR", "SA"].firstIndex(of: text.uppercased())
    }

    private mutating func grafanaPolicy(
        _ name: String, _ rules: [JSON], _ names: [String: String], _ schedules: [String: String]
    ) -> Policy {
        var policy = Policy(name: name)
        var seconds: Int64 = 0
        for rule in rules {
            var targets: [(kind: String, name: String)] = []
            switch rule["type"]?.text {
            case "wait": seconds += rule["duration"]?.integer ?? 0
            case "notify_persons", "notify_person_next_each_time":
                let ids =
                    rule["persons_to_notify"]?.elements ?? rule["persons_to_notify_next_each_time"]?.elements ?? []
                targets = ids.compactMap { $0.text.flatMap { names[$0] } }.map { ("person", $0) }
            case "notify_on_call_from_schedule":
                if let id = rule["notify_on_call_from_schedule"]?.text, let schedule = schedules[id] {
                    targets = [("schedule", schedule)]
                }
            case "repeat_escalation": policy.repeats = 5
            case let type: remarks.append("policy \"\(name)\": a step \(type ?? "") is left out")
            }
            if targets.isEmpty { continue }
            let minutes = (seconds + 59) / 60
            if policy.steps.last?.minutes == minutes {
                policy.steps[policy.steps.count - 1].targets += targets
            } else {
                policy.steps.append(Step(minutes: minutes, targets: targets))
            }
        }
        if policy.repeats > 0 { policy.roundMinutes = max((seconds + 59) / 60, (policy.steps.last?.minutes ?? 0) + 1) }
        return policy
    }
}
