internal import History
internal import Identity
internal import JSON
internal import Runtime

extension Recorder {
    /// Records an event of access control: a login, a refusal, an order. Who caused it is the actor of the entry, with
    /// what was proved apart from what was claimed.
    func passed(_ event: AccessEvent) {
        switch event {
        case .denied(let principal, let refusal, let permission, let method, let path):
            record(
                .denied, principal,
                [
                    "reason": .string(refusal.kind.rawValue), "permission": .string(permission.rawValue),
                    "request": .string("\(method) \(path)"),
                ])
        case .performed(let principal, let permission, let method, let path, let status):
            record(
                .order, principal,
                [
                    "permission": .string(permission.rawValue), "request": .string("\(method) \(path)"),
                    "status": .integer(Int64(status)),
                ])
        case .used(let principal):
            switch principal.method {
            case .none: return
            case .socket, .basic, .session: record(.login, principal, ["state": "succeeded"])
            case .localToken, .token, .certificate, .jwt: record(.tokenUse, principal, [:])
            }
        case .blocked(let name, let address, let score):
            let actor = LedgerActor(identity: name.isEmpty ? nil : name, method: "none", peer: address)
            record(.denied, actor, ["reason": "blocked", "score": .number(score)])
        case .lockedOut(let name, let address, let failures):
            let actor = LedgerActor(method: Principal.Method.basic.rawValue, peer: address, claimed: name)
            record(.login, actor, ["state": "locked_out", "failures": .integer(Int64(failures))])
        }
    }

    private func record(_ kind: LedgerEvent.Kind, _ principal: Principal, _ body: JSON) {
        record(kind, LedgerActor(principal), body)
    }

    private func record(_ kind: LedgerEvent.Kind, _ actor: LedgerActor, _ body: JSON) {
        history.record(
            LedgerEvent(
                milliseconds: SystemClock.wallMilliseconds(), kind: kind, subject: "access", body: body, actor: actor))
    }
}

extension LedgerActor {
    /// The sender of a request: what was proved, and apart from it what was claimed.
    init(_ principal: Principal) {
        self.init(
            identity: principal.name, method: principal.method.rawValue,
            peer: principal.address.isEmpty ? nil : principal.address, claimed: principal.claimed)
    }
}
