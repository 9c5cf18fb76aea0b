internal import JSON
internal import MetricModel

/// What every part of the controller builds its steps from.
extension RolloutController {
    /// Asks to be woken at `instant` at the latest.
    mutating func wake(at instant: Instant) {
        wakeAt = min(wakeAt ?? instant, instant)
    }

    /// Puts the whole durable state into the journal.
    mutating func journal(_ step: String, at now: Instant) {
        outbox.append(.journal(JournalRecord(epoch: epoch ?? 0, at: now, step: step, state: state)))
        hasChanged = true
    }

    /// Adds to the timeline of the rollback under way.
    mutating func note(_ step: String, _ service: String?, _ detail: String, at now: Instant) {
        state.rollback?.add(step, service, detail, at: now)
    }

    /// Writes to the history.
    mutating func record(_ kind: RollbackEvent.Kind, _ body: JSON, at now: Instant) {
        let common: [JSON.Member] = [
            .init("plan", .string(plan.name)), .init("generation", .integer(Int64(clamping: state.generation))),
            .init("epoch", .integer(Int64(clamping: epoch ?? 0))),
        ]
        outbox.append(
            .record(
                RollbackEvent(
                    at: now, kind: kind, subject: plan.name, body: .object(common + (body.members ?? [])))))
    }

    /// Writes a step of the rollback under way to the history, with what proves that it was due.
    mutating func recordStep(
        _ step: String, _ service: String?, _ detail: String, more: [JSON.Member] = [], at now: Instant
    ) {
        note(step, service, detail, at: now)
        guard let rollback = state.rollback else { return }
        let members: [JSON.Member] = [
            .init("rollback", .string(rollback.id)), .init("step", .string(step)),
            .init("service", service.map(JSON.string) ?? .null), .init("detail", .string(detail)),
            .init("causes", .array(rollback.causes.map(\.json))),
        ]
        record(.step, .object(members + more), at: now)
    }

    /// Whether `service` may be asked something now. Wakes when its retry is due.
    mutating func isFree(_ service: String, at now: Instant) -> Bool {
        guard pending[service] == nil else { return false }
        if let retry = retryAt[service], retry > now {
            wake(at: retry)
            return false
        }
        return true
    }

    /// Asks the router of `service`.
    mutating func operate(
        _ service: String, _ purpose: Purpose, _ kind: RouterOperation.Kind, at now: Instant
    ) {
        guard let epoch else { return }
        let timeouts = plan.service(service)?.routes.map(\.timeout.rawValue) ?? []
        // A worker that hangs beyond every timeout of its own has given no answer.
        let patience = Milliseconds(rawValue: 3 * timeouts.reduce(0, +)) + .seconds(5)
        lastOperation &+= 1
        pending[service] = Pending(id: lastOperation, purpose: purpose, deadline: now + patience)
        wake(at: now + patience)
        let revision = state.services[service]?.revision ?? 0
        outbox.append(
            .operate(
                RouterOperation(
                    id: lastOperation, epoch: epoch, generation: state.generation, service: service, kind: kind,
                    key: "\(plan.name)/\(state.generation)/\(service)/\(revision)")))
    }

    /// Waits longer after each failure: 0.2, 0.4 … 5 s.
    mutating func retryLater(_ service: String, at now: Instant) {
        let count = failures[service, default: 0]
        failures[service] = min(count + 1, 1000)
        let delay = Milliseconds.milliseconds(min(5000, 200 << min(count, 5)))
        retryAt[service] = now + delay
    }

    /// Forgets earlier failures of `service`.
    mutating func succeeded(_ service: String) {
        failures[service] = nil
        retryAt[service] = nil
    }

    /// Marks `service` as stuck and pages people, once.
    mutating func freeze(_ service: String, _ reason: String, at now: Instant) {
        guard state.services[service]?.frozen == nil else { return }
        state.services[service]?.frozen = reason
        if state.phase == .rollingBack { recordStep("frozen", service, reason, at: now) }
        journal("frozen", at: now)
        page("\(service)/frozen", "plan \(plan.name), service \(service): traffic stays where it is: \(reason)")
    }

    /// Ends ``freeze(_:_:at:)``.
    mutating func thaw(_ service: String, at now: Instant) {
        guard state.services[service]?.frozen != nil else { return }
        state.services[service]?.frozen = nil
        if state.phase == .rollingBack { recordStep("thawed", service, "", at: now) }
        journal("thawed", at: now)
    }

    /// Calls for a person.
    ///
    /// - Returns: the key of the notice.
    @discardableResult
    mutating func page(_ key: String, _ text: String) -> String {
        let key = "\(plan.name)/\(state.generation)/\(key)"
        let notice = RollbackNotice(plan: plan.name, key: key, kind: .page, text: text, receivers: plan.notify)
        outbox.append(.notify(notice))
        return key
    }

    /// Whether the candidate of `service` has, or is about to get, any traffic.
    func takesTraffic(_ service: String) -> Bool {
        (state.services[service]?.split.candidate ?? 0) > 0
    }

    /// Whether a candidate's weight may rise now, apart from what one service may be waiting for.
    func mayRaise(at now: Instant) -> Bool {
        state.phase == .promoting && !isCoolingDown(at: now)
    }

    /// Whether a trip still forbids promotion.
    public func isCoolingDown(at now: Instant) -> Bool {
        state.cooldownUntil.map { now < $0 } ?? false
    }
}
