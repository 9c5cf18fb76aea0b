internal import History
internal import JSON
internal import MetricModel
internal import WebServer

/// Tribune's own API: rollouts and the ledger, in Prometheus's envelope.
extension Exporter {
    /// `/api/v1/rollouts`
    func rollouts(_ call: APICall, into writer: inout JSONWriter) throws(APIError) -> APINotes {
        let statuses = Self.sorted(sources.rollouts(), by: \.plan)
        writer.object { writer in
            writer.name("rollouts")
            writer.array(statuses) { Self.write($1, into: &$0) }
        }
        return APINotes()
    }

    /// `/api/v1/rollouts/<plan>`
    func rollout(_ call: APICall, into writer: inout JSONWriter) throws(APIError) -> APINotes {
        guard let status = sources.rollouts().first(where: { $0.plan == call.path[0] }) else {
            throw APIError(.notFound, "no rollout plan \(MetricText.quoted(call.path[0]))")
        }
        Self.write(status, into: &writer)
        return APINotes()
    }

    /// `/api/v1/rollouts/<plan>/report`: what the last rollback was about, for people (`markdown`).
    func rolloutReport(_ call: APICall, into writer: inout JSONWriter) throws(APIError) -> APINotes {
        guard let text = sources.report(call.path[0]) else {
            throw APIError(.notFound, "the plan \(MetricText.quoted(call.path[0])) was never rolled back")
        }
        writer.object { $0.member("markdown", text) }
        return APINotes()
    }

    /// `POST /api/v1/rollouts/<plan>/<verb>`, with an optional `reason` and `actor`, and for `rollback` any number of `service`.
    func commandRollout(_ call: APICall, into writer: inout JSONWriter) throws(APIError) -> APINotes {
        let verbs = RolloutOrder.Verb.allCases.map(\.rawValue)
        guard let verb = RolloutOrder.Verb(rawValue: call.path[1]) else {
            throw APIError(.notFound, "no such command; there are \(verbs.joined(separator: ", "))")
        }
        guard Sameness.isOwnOrigin(call.request), mayCommand(call) else {
            throw APIError(.forbidden, "commands need the configured token, or a client on this machine where none is")
        }
        var order = RolloutOrder(
            verb: verb, plan: call.path[0], actor: call["actor"].isEmpty ? call.request.peer : call["actor"],
            reason: call["reason"])
        order.services = call.all("service")
        guard order.services.isEmpty || verb == .rollback else {
            throw APIError.invalid("service", "only a rollback can be ordered for single services")
        }
        switch sources.command(order) {
        case .accepted:
            writer.object { $0.member("accepted", true) }
            return APINotes()
        case .ignored(let reason):
            writer.object {
                $0.member("accepted", false)
                $0.member("ignored", reason)
            }
            return APINotes()
        case .unknownPlan: throw APIError(.notFound, "no rollout plan \(MetricText.quoted(order.plan))")
        case .refused(let reason): throw APIError(.conflict, reason)
        }
    }

    /// Whether who asks may change something: with the configured token, or from this machine where there is none.
    func mayCommand(_ call: APICall) -> Bool {
        guard let token = settings.commandToken else {
            return call.request.peer.hasPrefix("127.") || call.request.peer == "::1"
        }
        return Sameness.isSameSecret(call.request[header: "Authorization"] ?? "", "Bearer " + token)
    }

    private static func write(_ status: RolloutStatus, into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("plan", status.plan)
            writer.member("state", status.state)
            writer.name("routes")
            writer.array(status.routes) { writer, route in
                writer.object {
                    $0.member("service", route.service)
                    $0.member("state", route.state)
                    $0.member("candidateWeight", route.candidateWeight)
                    $0.member("stableWeight", 100 - route.candidateWeight)
                    $0.member("stable", route.stable)
                    $0.member("candidate", route.candidate)
                    $0.name("frozen")
                    if let frozen = route.frozen { $0.string(frozen) } else { $0.null() }
                }
            }
            writer.name("timeline")
            writer.array(status.timeline) { writer, moment in
                writer.object {
                    $0.member("time", moment.at)
                    $0.member("text", moment.text)
                }
            }
            writer.name("details")
            writer.write(status.details)
        }
    }

    /// `/api/v1/history/events`: newest first; `kind` (may be repeated), `start`, `end`, `limit` (100 unless given, at most 1000).
    func events(_ call: APICall, into writer: inout JSONWriter) throws(APIError) -> APINotes {
        var query = EventQuery(kinds: [], from: nil, through: nil, limit: 100)
        for name in call.all("kind") where !name.isEmpty {
            guard let kind = LedgerEvent.Kind(rawValue: name) else {
                let kinds = LedgerEvent.Kind.allCases.map(\.rawValue).joined(separator: ", ")
                throw .invalid("kind", "no such kind; there are \(kinds)")
            }
            if !query.kinds.contains(kind) { query.kinds.append(kind) }
        }
        if !call["start"].isEmpty { query.from = try call.time("start") }
        if !call["end"].isEmpty { query.through = try call.time("end") }
        let limit = try call.limit()
        if limit > 0 { query.limit = min(limit, 1000) }
        guard let events = sources.events(query) else {
            throw APIError(.unavailable, "the history database cannot be read now")
        }
        writer.object { writer in
            writer.name("events")
            writer.array(events) { writer, recorded in
                writer.object {
                    if let index = recorded.index { $0.member("index", index) }
                    $0.member("time", Timestamp(milliseconds: recorded.event.milliseconds))
                    $0.member("kind", recorded.event.kind.rawValue)
                    $0.member("subject", recorded.event.subject)
                    $0.name("body")
                    $0.write(recorded.event.body)
                }
            }
        }
        return APINotes()
    }
}
