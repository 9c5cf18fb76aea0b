internal import JSON
internal import MetricModel
internal import Rollback
internal import RuleModel

/// Turns what happens in an incident into spans. A machine: the time is passed in.
///
/// Everything about a rollback is in the timeline of its record, which is journalled: after a restart the spans go on
/// as if there had been none. Only decisions that have led to no step yet are kept.
///
/// The trace of an incident:
///
/// ```
/// incident            first violation → end of the rollback, or the decision
/// ├─ scrape           sample taken → scrape committed
/// ├─ decision         scrape committed → decided
/// ├─ shift            decided → acknowledged by the router, for each route
/// ├─ read back        acknowledged → read back
/// ├─ isolate          read back → isolated
/// ├─ validate         announced → validated
/// └─ notification     each attempt
/// ```
struct IncidentSpans: Equatable, Sendable {
    private struct Decision: Equatable {
        var root: Span
        var decidedAt: Instant
    }

    private static let rootKey = "incident"
    /// How long a decision waits for the first step.
    private static let patience = Milliseconds.seconds(30)
    private static let mostDecisions = 1000

    /// Decisions without a step, by the incident.
    private var decisions: [String: Decision] = [:]

    /// Whether a decision waits for its first step.
    var isWaiting: Bool { !decisions.isEmpty }

    /// The spans that end with `event`.
    mutating func happened(_ event: RollbackEvent) -> [Span] {
        guard let incident = event.incident else { return [] }
        let trace = TraceID(incident: incident)
        switch event.meaning {
        case .decided(let trip, let committedAt):
            let spans = Self.decided(trip, committedAt, event, trace)
            var root = Self.root(trace, incident, of: [.trip(trip)], to: event.at)
            root.attributes += [.init("tribune.plan", event.subject)]
            root.attributes += event.body["decision"]?.text.map { [.init("tribune.decision", $0)] } ?? []
            if decisions[incident] == nil, decisions.count < Self.mostDecisions {
                decisions[incident] = Decision(root: root, decidedAt: event.at)
            }
            return spans
        case .stepped(let step):
            decisions[incident] = nil
            return Self.stepped(step, event, trace, incident)
        case nil: return []
        }
    }

    /// The roots of incidents that ended with their decision: no step has followed until `now`.
    mutating func timePassed(at now: Instant) -> [Span] {
        let ended = decisions.filter { now >= $0.value.decidedAt + Self.patience }
        for incident in ended.keys { decisions[incident] = nil }
        return ended.sorted { $0.value.decidedAt < $1.value.decidedAt }.map(\.value.root)
    }

    /// The roots of all decisions that still wait for a step.
    mutating func stopped() -> [Span] {
        defer { decisions = [:] }
        return decisions.sorted { $0.value.decidedAt < $1.value.decidedAt }.map(\.value.root)
    }

    /// An attempt to notify a receiver of `incident`.
    static func notified(
        _ incident: String, _ receiver: String, _ integration: String, attempt: Int, failure: String?,
        from start: Int64, to end: Int64
    ) -> Span {
        let key = "notification \(receiver) \(integration) \(attempt) \(start)"
        var span = Span(
            TraceID(incident: incident), key, in: rootKey, named: "notification", from: start, to: end)
        span.kind = .client
        span.attributes = [
            .init("tribune.incident", incident), .init("tribune.receiver", receiver),
            .init("tribune.integration", integration), .init("tribune.attempt", .integer(Int64(attempt))),
        ]
        span.status = failure.map { .error($0) } ?? .ok
        return span
    }

    // MARK: Spans

    /// The root, from the first violation.
    private static func root(
        _ trace: TraceID, _ incident: String, of causes: [RollbackRecord.Cause], to end: Instant
    ) -> Span {
        let trips = causes.compactMap { cause in if case .trip(let trip) = cause { trip } else { nil } }
        let times = trips.flatMap { trip in trip.samples.map(\.time) + [trip.time] + [trip.sampledAt].compactMap(\.self)
        }
        let start = times.min().map { $0.milliseconds * 1_000_000 } ?? end.nanoseconds
        var span = Span(trace, rootKey, in: nil, named: "incident", from: start, to: end.nanoseconds)
        span.attributes = [.init("tribune.incident", incident)]
        if let trip = trips.first {
            span.attributes += [
                .init("tribune.rule", trip.rule), .init("tribune.rule_hash", trip.ruleHash),
                .init("tribune.severity", trip.severity), .init("tribune.labels", trip.labels.description),
            ]
        }
        return span
    }

    private static func decided(
        _ trip: Trip, _ committedAt: Instant?, _ event: RollbackEvent, _ trace: TraceID
    ) -> [Span] {
        var spans: [Span] = []
        let evaluated = trip.time.milliseconds * 1_000_000
        if let sampledAt = trip.sampledAt, let committedAt {
            var scrape = Span(
                trace, "scrape \(trip.rule)", in: rootKey, named: "scrape", from: sampledAt.milliseconds * 1_000_000,
                to: committedAt.nanoseconds)
            scrape.attributes = [.init("tribune.labels", trip.labels.description)]
            spans.append(scrape)
        }
        var decision = Span(
            trace, "decision \(trip.rule)", in: rootKey, named: "decision", from: committedAt?.nanoseconds ?? evaluated,
            to: event.at.nanoseconds)
        decision.attributes = [
            .init("tribune.rule", trip.rule), .init("tribune.rule_hash", trip.ruleHash),
            .init("tribune.expression", trip.expression), .init("tribune.condition", trip.condition.description),
            .init("tribune.mode", trip.mode.rawValue),
            .init("tribune.decision", event.body["decision"]?.text ?? ""),
        ]
        if let sampledAt = trip.sampledAt, committedAt == nil {
            decision.events.append(.init(time: sampledAt.milliseconds * 1_000_000, name: "sample taken"))
        }
        decision.events += trip.samples.map { sample in
            Span.Event(
                time: sample.time.milliseconds * 1_000_000, name: "violation",
                attributes: [.init("tribune.value", FloatText.general(sample.value))])
        }
        spans.append(decision)
        return spans
    }

    private static func stepped(
        _ step: RollbackEvent.Step, _ event: RollbackEvent, _ trace: TraceID, _ incident: String
    ) -> [Span] {
        let began: Instant?
        let name: String
        switch step.name {
        case "shifted": (name, began) = ("shift", last("intended", of: nil, in: step))
        case "verified":
            // Where the traffic was right before, nothing was shifted.
            (name, began) = ("read back", last("shifted", of: step, in: step) ?? last("intended", of: nil, in: step))
        case "isolated": (name, began) = ("isolate", last("verified", of: step, in: step))
        case "validated", "invalid": (name, began) = ("validate", last("announced", of: nil, in: step))
        case "reported": return [finished(step, event, trace, incident)]
        default: return []
        }
        let key = "\(name) \(step.rollback.id) \(step.service ?? "") \(step.route ?? "") \(event.at.nanoseconds)"
        var span = Span(
            trace, key, in: rootKey, named: name, from: (began ?? event.at).nanoseconds, to: event.at.nanoseconds)
        if step.route != nil { span.kind = .client }
        span.attributes = [.init("tribune.rollback", step.rollback.id), .init("tribune.detail", step.detail)]
        span.attributes += step.service.map { [.init("tribune.service", $0)] } ?? []
        span.attributes += step.route.map { [.init("tribune.route", $0)] } ?? []
        let failed = step.name == "invalid" || step.name == "isolated" && step.detail.contains("not isolated")
        span.status = failed ? .error(step.detail) : .ok
        return [span]
    }

    /// The last time of the step `name` before `step`: of the same service and route as `route`, if it has them.
    private static func last(
        _ name: String, of route: RollbackEvent.Step?, in step: RollbackEvent.Step
    ) -> Instant? {
        let entries = step.rollback.timeline.filter { entry in
            entry.step == name && (route == nil || entry.service == route?.service)
        }
        // With several routes, the details begin with their names.
        let own = route?.route.map { route in entries.filter { $0.detail.hasPrefix("\(route): ") } } ?? []
        return (own.isEmpty ? entries : own).last?.at
    }

    /// The root of a rollback that has ended, with the times of its steps.
    private static func finished(
        _ step: RollbackEvent.Step, _ event: RollbackEvent, _ trace: TraceID, _ incident: String
    ) -> Span {
        let rollback = step.rollback
        var span = root(trace, incident, of: rollback.causes, to: event.at)
        if let first = rollback.timeline.first?.at.nanoseconds, first < span.start { span.start = first }
        span.attributes += [
            .init("tribune.plan", event.subject), .init("tribune.rollback", rollback.id),
            .init("tribune.services", .texts(rollback.services)),
        ]
        span.events = rollback.timeline.map { entry in
            var attributes: [Span.Attribute] = []
            if let service = entry.service { attributes.append(.init("tribune.service", service)) }
            if !entry.detail.isEmpty { attributes.append(.init("tribune.detail", entry.detail)) }
            return Span.Event(time: entry.at.nanoseconds, name: entry.step, attributes: attributes)
        }
        switch rollback.verdict {
        case .some(let verdict): span.status = verdict.isValid ? .ok : .error(verdict.detail)
        case nil: break
        }
        return span
    }
}
