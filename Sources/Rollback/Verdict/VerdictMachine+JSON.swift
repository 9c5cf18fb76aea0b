package import JSON
internal import MetricModel

/// The state that the next process needs: the release, its trips, and the rules. `init(_:watches:stored:)` reads it
/// back.
extension VerdictMachine {
    /// The state to store.
    package var json: JSON {
        [
            "verdict": .string(name), "release": release?.json ?? .null,
            "rules": .object(rules.sorted { $0.key < $1.key }.map { JSON.Member($0.key, $0.value.json) }),
        ]
    }

    /// A machine that continues with what ``json`` stored. What cannot be read is not known: the verdict is then
    /// `unknown` until it is measured anew.
    package init(_ name: String, watches: [VerdictRule], stored: JSON?) {
        var rules: [String: RollbackRule] = [:]
        for member in stored?["rules"]?.members ?? [] { rules[member.name] = RollbackRule(member.value) }
        self.init(name, watches: watches, release: stored?["release"].flatMap(VerdictRelease.init), rules: rules)
    }
}

extension VerdictRelease {
    fileprivate var json: JSON {
        var members: [JSON.Member] = [.init("name", .string(name))]
        switch state {
        case .waiting: members.append(.init("state", "waiting"))
        case .running(let since):
            members += [.init("state", "running"), .init("since", .integer(since.nanoseconds))]
        case .over(let at, let outcome):
            members += [
                .init("state", "over"), .init("at", .integer(at.nanoseconds)), .init("outcome", .string(outcome)),
            ]
        }
        members += [
            .init("traffic_since", trafficSince.map { .integer($0.nanoseconds) } ?? .null),
            .init("increased_at", increasedAt.map { .integer($0.nanoseconds) } ?? .null),
            .init("trips", .array(trips.map(\.json))),
            .init("answers", .object(answers.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })),
        ]
        return .object(members)
    }

    fileprivate init?(_ json: JSON) {
        func instant(_ name: String) -> Instant? { json[name]?.integer.map(Instant.init(nanoseconds:)) }
        guard let name = json["name"]?.text else { return nil }
        switch json["state"]?.text {
        case "waiting": self.init(name: name, state: .waiting)
        case "running":
            guard let since = instant("since") else { return nil }
            self.init(name: name, state: .running(since: since))
        case "over":
            guard let at = instant("at") else { return nil }
            self.init(name: name, state: .over(at: at, outcome: json["outcome"]?.text ?? ""))
        case _: return nil
        }
        trafficSince = instant("traffic_since")
        increasedAt = instant("increased_at")
        for element in json["trips"]?.elements ?? [] {
            // A trip that cannot be read is no reason for health.
            guard let trip = Trip(element) else { return nil }
            add(trip)
        }
        for member in json["answers"]?.members ?? [] { answers[member.name] = member.value.text }
    }
}

extension VerdictRelease.Trip {
    fileprivate var json: JSON {
        [
            "key": .string(key), "rule": .string(rule),
            "labels": .object(labels.pairs.map { .init($0.name, .string($0.value)) }),
            "condition": .string(condition), "value": .string(FloatText.general(value)),
            "at": .integer(at.milliseconds), "incident": .string(incident),
        ]
    }

    fileprivate init?(_ json: JSON) {
        guard let key = json["key"]?.text, let rule = json["rule"]?.text, let members = json["labels"]?.members,
            let condition = json["condition"]?.text, let value = json["value"]?.text.flatMap(Double.init),
            let at = json["at"]?.integer, let incident = json["incident"]?.text
        else { return nil }
        self.init(
            key: key, rule: rule, labels: Labels(members.map { Label($0.name, $0.value.text ?? "") }),
            condition: condition, value: value, at: Timestamp(milliseconds: at), incident: incident)
    }
}
