internal import JSON
internal import MetricModel

extension Page {
    /// The page as it is stored.
    var stored: JSON {
        [
            "id": .string(id), "key": .string(key), "policy": .string(policy), "opened": openedAt.stored,
            "state": state.stored, "escalation": .integer(Int64(next.escalation)), "step": .integer(Int64(next.step)),
            "escalation_start": escalationStart.stored, "scheduled": .array(scheduled.map(\.stored)),
            "outstanding": .array(outstanding.map(\.stored)), "notified": .array(notified.map(JSON.string)),
            "calls": .integer(Int64(calls)), "unanswered": .bool(isUnanswered),
        ]
    }

    /// Reads a stored page; `nil` if it is malformed.
    init?(stored json: JSON) {
        guard let id = json["id"]?.text, let key = json["key"]?.text, let policy = json["policy"]?.text,
            let opened = Timestamp(stored: json["opened"]), let state = json["state"].flatMap(State.init(stored:)),
            let escalation = json["escalation"]?.integer.flatMap({ Int(exactly: $0) }),
            let step = json["step"]?.integer.flatMap({ Int(exactly: $0) }), escalation >= 0, step >= 0,
            let start = Timestamp(stored: json["escalation_start"]),
            let scheduled = json["scheduled"]?.elements?.compactMap(Call.init(stored:)),
            let outstanding = json["outstanding"]?.elements?.compactMap(Call.init(stored:)),
            let notified = json["notified"]?.elements?.compactMap(\.text),
            let calls = json["calls"]?.integer.flatMap({ Int(exactly: $0) }),
            let isUnanswered = json["unanswered"]?.bool
        else { return nil }
        self.init(id: id, key: key, policy: policy, at: opened)
        self.state = state
        next = Position(escalation: escalation, step: step)
        escalationStart = start
        self.scheduled = scheduled
        self.outstanding = outstanding
        self.notified = notified
        self.calls = calls
        self.isUnanswered = isUnanswered
    }
}

extension Page.State {
    /// The word for it in APIs, metrics and storage.
    public var name: String {
        switch self {
        case .escalating: "escalating"
        case .acknowledged: "acknowledged"
        case .snoozed: "snoozed"
        case .resolved: "resolved"
        }
    }

    fileprivate var stored: JSON {
        switch self {
        case .escalating: ["name": .string(name)]
        case .acknowledged(let person, let until):
            ["name": .string(name), "by": .string(person), "until": until?.stored ?? .null]
        case .snoozed(let person, let until): ["name": .string(name), "by": .string(person), "until": until.stored]
        case .resolved(let moment): ["name": .string(name), "at": moment.stored]
        }
    }

    fileprivate init?(stored json: JSON) {
        switch (json["name"]?.text, json["by"]?.text, Timestamp(stored: json["until"]), Timestamp(stored: json["at"])) {
        case ("escalating", _, _, _): self = .escalating
        case ("acknowledged", let person?, let until, _): self = .acknowledged(by: person, until: until)
        case ("snoozed", let person?, let until?, _): self = .snoozed(by: person, until: until)
        case ("resolved", _, _, let moment?): self = .resolved(at: moment)
        default: return nil
        }
    }
}

extension Page.Call {
    fileprivate var stored: JSON {
        [
            "number": .integer(Int64(number)), "person": person.map(JSON.string) ?? .null,
            "receiver": .string(receiver), "at": at.stored, "escalation": .integer(Int64(position.escalation)),
            "step": .integer(Int64(position.step)), "failures": .integer(Int64(failures)),
        ]
    }

    fileprivate init?(stored json: JSON) {
        guard let number = json["number"]?.integer.flatMap({ Int(exactly: $0) }),
            let receiver = json["receiver"]?.text, let at = Timestamp(stored: json["at"]),
            let escalation = json["escalation"]?.integer.flatMap({ Int(exactly: $0) }),
            let step = json["step"]?.integer.flatMap({ Int(exactly: $0) }),
            let failures = json["failures"]?.integer.flatMap({ Int(exactly: $0) })
        else { return nil }
        self.init(
            number: number, person: json["person"]?.text, receiver: receiver, at: at,
            position: Page.Position(escalation: escalation, step: step), failures: failures)
    }
}

extension Timestamp {
    var stored: JSON { .integer(milliseconds) }

    init?(stored json: JSON?) {
        guard let milliseconds = json?.integer else { return nil }
        self.init(milliseconds: milliseconds)
    }
}
