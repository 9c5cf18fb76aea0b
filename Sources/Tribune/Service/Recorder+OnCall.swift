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
        case .opened, .called, .callFailed, .undelivered, .calledAgain, .unanswered, .unreachable, .resolved:
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
        history.record(
            LedgerEvent(
                milliseconds: event.at.milliseconds, kind: isAnswer ? .acknowledgement : .page,
                subject: event.labels["alertname"] ?? "page", body: .object(body),
                actor: event.actor.map {
                    LedgerActor(identity: $0.identity, method: $0.method, peer: $0.peer, claimed: $0.claimed)
                }, incident: event.incident.map(incident(ofRollback:)), service: event.labels["service"]))
    }
}
