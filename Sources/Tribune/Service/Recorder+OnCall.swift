internal import History
internal import JSON
internal import MetricModel
internal import OnCall

extension Recorder {
    /// Something happened to a page. Answers of people are entries of their own kind, with who proved what.
    func paged(_ event: PageEvent) {
        let isAnswer: Bool
        switch event.kind {
        case .acknowledged, .snoozed, .reassigned, .escalated, .noted: isAnswer = true
        case .opened, .called, .callFailed, .undelivered, .calledAgain, .unanswered, .unreachable, .resolved, .held,
            .released, .flapping:
            isAnswer = false
        }
        var body: [JSON.Member] = [
            .init("state", .string(event.kind.rawValue)), .init("page", .string(event.page)),
            .init("title", .string(event.title)), .init("labels", event.labels.stored),
        ]
        if let call = event.call {
            body.append(.init("call", .integer(Int64(call.number))))
            body.append(.init("receiver", .string(call.receiver)))
            body.append(.init("escalation", .integer(Int64(call.position.escalation))))
            body.append(.init("step", .integer(Int64(call.position.step) + 1)))
            if let person = call.person { body.append(.init("person", LedgerEvent.personal(person))) }
        }
        if !event.detail.isEmpty {
            // A note is what a person wrote, and may be about one.
            let isNote = event.kind == .noted || event.kind == .reassigned
            body.append(
                .init("detail", isNote ? LedgerEvent.personal(event.detail) : .string(event.detail)))
        }
        let incident = event.incident.map(incident(ofRollback:))
        history.record(
            LedgerEvent(
                milliseconds: event.at.milliseconds, kind: isAnswer ? .acknowledgement : .page,
                subject: event.labels["alertname"] ?? "page", body: traced(.object(body), incident),
                actor: event.actor.map {
                    LedgerActor(identity: $0.identity, method: $0.method, peer: $0.peer, claimed: $0.claimed)
                }, incident: incident, service: event.labels["service"]))
    }

    /// Somebody changed a schedule while the service runs.
    func planned(_ event: ScheduleEvent) {
        let override = event.override
        var body: [JSON.Member] = [
            .init("state", .string(event.kind.rawValue)), .init("override", .string(override.id)),
            .init("person", LedgerEvent.personal(override.person)),
            .init("from", .string(RFC3339.text(milliseconds: override.times.lowerBound.milliseconds))),
            .init("until", .string(RFC3339.text(milliseconds: override.times.upperBound.milliseconds))),
        ]
        // A text that a person wrote may be about one.
        if !override.reason.isEmpty { body.append(.init("reason", LedgerEvent.personal(override.reason))) }
        history.record(
            LedgerEvent(
                milliseconds: event.at.milliseconds, kind: .schedule, subject: override.schedule, body: .object(body),
                actor: LedgerActor(
                    identity: event.actor.identity, method: event.actor.method, peer: event.actor.peer,
                    claimed: event.actor.claimed)))
    }
}
