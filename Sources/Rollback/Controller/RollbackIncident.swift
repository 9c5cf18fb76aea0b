internal import JSON
public import MetricModel

/// The incident of a rollback. Raised once per rollback; the same id again is an update.
public struct RollbackIncident: Hashable, Sendable {
    /// The id of the rollback.
    public var id: String
    /// Joins its entries in the record; see ``RollbackRecord/incident``.
    public var incident: String
    /// The plan.
    public var plan: String
    /// The worst severity of its causes.
    public var severity: String
    /// A text of one line.
    public var title: String
    /// The services that were rolled back.
    public var services: [String]
    /// The tasks left to people.
    public var tasks: [String]
    /// When it was decided.
    public var startsAt: Instant
    /// The labels of the rule that tripped first.
    public var labels: Labels
    /// The annotations of the rule that tripped first, expanded.
    public var annotations: Labels
    /// The measurement of the rule that tripped first; `nil` if none did.
    public var expression: String?

    /// The incident of `rollback`, with tasks that depend on its causes and outcome.
    package init(_ rollback: RollbackRecord, plan: String) {
        let names = rollback.services.joined(separator: ", ")
        id = rollback.id
        incident = rollback.incident
        self.plan = plan
        severity = rollback.severity
        startsAt = rollback.timeline.first { $0.step == "decided" }?.at ?? Instant(nanoseconds: 0)
        let trips = rollback.causes.compactMap { cause in if case .trip(let trip) = cause { trip } else { nil } }
        labels = trips.first?.ruleLabels ?? .empty
        annotations = trips.first?.annotations ?? .empty
        expression = trips.first?.expression
        title = "\(plan): \(names) rolled back: \(rollback.causes.first?.summary ?? "")"
        services = rollback.services
        var tasks: [String] = []
        for cause in rollback.causes {
            let task =
                switch cause {
                case .trip(let trip):
                    "Find out why the candidate of \(names) violated \(trip.name), from the evidence in the report."
                case .command(let by, _): "Record with \(by) the reason for the rollback."
                case .promotion(let service, _): "Find out why \(service) could not be promoted."
                }
            if !tasks.contains(task) { tasks.append(task) }
        }
        if rollback.verdict?.isValid == false {
            tasks.insert("Check the services now: the rollback was not confirmed.", at: 0)
        }
        let notIsolated = rollback.timeline.filter { $0.step == "isolated" && $0.detail.hasPrefix("not isolated") }
        for service in notIsolated.compactMap(\.service) {
            tasks.append("Isolate the candidate of \(service) manually: its router did not.")
        }
        for entry in rollback.timeline where entry.step == "abandoned" {
            tasks.append(
                "Remove the candidate of \(entry.service ?? "") manually from the route given up: \(entry.detail)")
        }
        tasks += [
            "Keep the isolated candidate for analysis, or remove it.",
            "Check what the candidate wrote while it had traffic.",
            "Start a new generation only when the cause is fixed.",
        ]
        self.tasks = tasks
    }

    /// The incident as JSON.
    var json: JSON {
        [
            "id": .string(id), "severity": .string(severity), "title": .string(title),
            "tasks": .array(tasks.map(JSON.string)),
        ]
    }
}
