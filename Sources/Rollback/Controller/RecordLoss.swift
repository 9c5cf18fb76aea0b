internal import JSON

/// A journal whose last record cannot be used: damaged, or of an unknown version.
public struct RecordLoss: Hashable, Sendable {
    /// The file and what happened to it.
    public var reason: String
    /// A record that could be read, which may be old; `nil` if there is none.
    public var salvaged: JournalRecord?

    /// A loss of which only `salvaged` is left.
    public init(reason: String, salvaged: JournalRecord? = nil) {
        self.reason = reason
        self.salvaged = salvaged
    }
}

/// The part of a plan's structure on which a record depends.
public struct RecordedStructure: Hashable, Sendable {
    /// The part of one service.
    public struct Service: Hashable, Sendable {
        /// The split of each stage.
        public var stages: [TrafficSplit]
        /// The names of its routes.
        public var routes: [String]
    }

    /// The services, by name.
    public var services: [String: Service]

    init(_ plan: RolloutPlan) {
        services = Dictionary(
            uniqueKeysWithValues: plan.services.map { service in
                (
                    service.name,
                    Service(stages: service.stages, routes: service.routes.map(\.name))
                )
            })
    }

    /// How `plan` differs, as text; `nil` if it does not.
    func difference(to plan: RecordedStructure) -> String? {
        guard plan != self else { return nil }
        var parts: [String] = []
        for (name, old) in services.sorted(by: { $0.key < $1.key }) {
            guard let new = plan.services[name] else {
                parts.append("\(name) is gone")
                continue
            }
            func list(_ stages: [TrafficSplit]) -> String { stages.map(\.stageName).joined(separator: ", ") }
            if old.stages != new.stages {
                parts.append("\(name) has the stages \(list(new.stages)) instead of \(list(old.stages))")
            }
            if old.routes != new.routes { parts.append("\(name) has other routes") }
        }
        for name in plan.services.keys.sorted() where services[name] == nil { parts.append("\(name) is new") }
        return parts.joined(separator: "; ")
    }
}

extension RecordedStructure {
    var json: JSON {
        .object(
            services.sorted { $0.key < $1.key }.map { name, service in
                JSON.Member(
                    name,
                    [
                        "stages": .array(service.stages.map(\.weight)),
                        "routes": .array(service.routes.map(JSON.string)),
                    ])
            })
    }

    init?(_ json: JSON) {
        guard let members = json.members else { return nil }
        services = [:]
        for member in members {
            services[member.name] = Service(
                stages: (member.value["stages"]?.elements ?? []).compactMap(TrafficSplit.init(weight:)),
                routes: (member.value["routes"]?.elements ?? []).compactMap(\.text))
        }
    }
}
