import JSON
import MetricModel
import TestSupport

/// A small world of alerts with one event per step. Its alerts share a label that no other world has, so that many
/// worlds run in one notifier without interference.
struct AlertWorld {
    /// The event of a step.
    enum Event: Equatable {
        case nothing
        case fires(Int)
        case resolves(Int)
        /// It changes its annotations, without a notification.
        case changes(Int)
        case silences(String, matchers: [String: String], isRegex: Bool)
        case expires(String)
    }

    struct Alert: Equatable {
        var labels: [(name: String, value: String)]
        var startsAt: String?
        var note = 0

        static func == (left: Self, right: Self) -> Bool {
            left.startsAt == right.startsAt && left.note == right.note
                && left.labels.elementsEqual(right.labels) { $0 == $1 }
        }
    }

    let seed: UInt64
    let name: String
    private var random: SeededGenerator
    private(set) var alerts: [Alert] = []
    private var silences: [String: (matchers: [String: String], isRegex: Bool)] = [:]
    private var count = 0

    init(seed: UInt64) {
        self.seed = seed
        name = "world-\(seed)"
        random = SeededGenerator(seed: seed)
        let teams = ["db", "web", "once", "quiet"].shuffled(using: &random).prefix(2)
        for team in teams {
            for instance in ["a:1", "<b> & \"ü\""] {
                for severity in ["warning", "critical"] {
                    alerts.append(
                        Alert(labels: [
                            ("alertname", team == "web" ? "Slow" : "Full"), ("instance", instance),
                            ("severity", severity),
                            ("team", team), ("world", name),
                        ]))
                }
            }
        }
    }

    var firing: [Int] { alerts.indices.filter { alerts[$0].startsAt != nil } }

    /// Draws the next event and executes it. `now` is the time as text.
    mutating func step(at now: String) -> Event {
        let event = draw()
        switch event {
        case .fires(let index): alerts[index].startsAt = now
        case .resolves(let index): alerts[index].startsAt = nil
        case .changes(let index): alerts[index].note += 1
        case .silences(let id, let matchers, let isRegex): silences[id] = (matchers, isRegex)
        case .expires(let id): silences[id] = nil
        case .nothing: break
        }
        return event
    }

    private mutating func draw() -> Event {
        let quiet = alerts.indices.filter { alerts[$0].startsAt == nil }
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<9: return quiet.randomElement(using: &random).map { .fires($0) } ?? .nothing
        case 9..<14:
            // The end of a silenced or inhibited alert is a known difference.
            let audible = firing.filter { !isSuppressed($0) }
            return audible.randomElement(using: &random).map { .resolves($0) } ?? .nothing
        case 14: return firing.randomElement(using: &random).map { .changes($0) } ?? .nothing
        case 15..<17:
            count += 1
            let label = alerts.randomElement(using: &random)!.labels.dropLast().randomElement(using: &random)!
            let isRegex = Bool.random(using: &random)
            let value = isRegex ? label.value.prefix(1) + ".*" : label.value[...]
            return .silences(
                "\(name)-\(count)", matchers: [label.name: String(value), "world": name], isRegex: isRegex)
        case 17..<19: return silences.keys.sorted().randomElement(using: &random).map { .expires($0) } ?? .nothing
        default: return .nothing
        }
    }

    private func isSuppressed(_ index: Int) -> Bool {
        func value(_ name: String, _ index: Int) -> String {
            alerts[index].labels.first { $0.name == name }?.value ?? ""
        }
        let isSilenced = silences.values.contains { silence in
            silence.matchers.allSatisfy { name, text in
                silence.isRegex && name != "world"
                    ? value(name, index).hasPrefix(text.dropLast(2)) : value(name, index) == text
            }
        }
        return isSilenced
            || value("severity", index) == "warning"
                && firing.contains { other in
                    value("severity", other) == "critical"
                        && ["team", "instance"].allSatisfy { value($0, other) == value($0, index) }
                }
    }

    /// An alert as posted; `endsAt` is absent while it fires.
    func posted(_ index: Int, startsAt: String, endsAt: String? = nil) -> JSON {
        let alert = alerts[index]
        var members: [JSON.Member] = [
            .init("labels", .object(alert.labels.map { .init($0.name, .string($0.value)) })),
            .init(
                "annotations",
                [
                    "summary": .string("\(alert.labels[1].value) is <slow> & sad"), "note": .string("\(alert.note)"),
                ]),
            .init("generatorURL", "http://prometheus.example/graph?g0.expr=up+%3D%3D+0&g0.tab=1"),
            .init("startsAt", .string(startsAt)),
        ]
        if let endsAt { members.append(.init("endsAt", .string(endsAt))) }
        return .object(members)
    }
}
