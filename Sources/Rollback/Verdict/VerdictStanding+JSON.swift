public import JSON
internal import MetricModel

extension VerdictStanding {
    /// As the API shows it.
    public var json: JSON {
        var members: [JSON.Member] = [
            .init("name", .string(name)), .init("verdict", .string(verdict.rawValue)),
            .init("reasons", .array(reasons.map(JSON.string))),
            .init("release", release.map { .string($0.name) } ?? .null),
            .init("state", .string(release?.state.name ?? "none")),
            .init("since", (release?.runningSince).map { .string($0.text) } ?? .null),
        ]
        if case .over(let at, let outcome)? = release?.state {
            members += [.init("ended", .string(at.text)), .init("outcome", .string(outcome))]
        }
        members += [
            .init("at", .string(at.text)), .init("rules", .array(rules.map(\.json))),
        ]
        return .object(members)
    }
}

extension VerdictRelease.State {
    /// One word.
    fileprivate var name: String {
        switch self {
        case .waiting: "waiting"
        case .running: "running"
        case .over: "over"
        }
    }
}

extension VerdictStanding.Rule {
    /// As the API and the record show it.
    var json: JSON {
        [
            "rule": .string(name), "condition": .string(condition), "mode": .string(mode),
            "value": value.map { .string(FloatText.general($0)) } ?? .null,
            "measured": measuredAt.map { .string($0.text) } ?? .null, "tripped": .bool(isTripped),
            "streak": .integer(Int64(streak)), "lack": lack.map(JSON.string) ?? .null,
        ]
    }
}
