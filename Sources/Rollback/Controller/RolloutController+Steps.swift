internal import JSON
internal import MetricModel

/// Helpers for the steps of the controller.
extension RolloutController {
    /// Sets the next wake-up to `instant` at the latest.
    mutating func wake(at instant: Instant) {
        wakeAt = min(wakeAt ?? instant, instant)
    }

    /// Has the whole durable state written to the journal.
    mutating func journal(_ step: String, at now: Instant) {
        let number = journal.make(at: now)
        outbox.append(.journal(JournalRecord(epoch: epoch ?? 0, number: number, at: now, step: step, state: state)))
        hasChanged = true
    }

    /// Adds to the timeline of the active rollback.
    mutating func note(_ step: String, _ service: String?, _ detail: String, at now: Instant) {
        state.rollback?.add(step, service, detail, at: now)
    }

    /// Writes to the history.
    mutating func record(
        _ kind: RollbackEvent.Kind, _ body: JSON, incident: String? = nil, meaning: RollbackEvent.Meaning? = nil,
        at now: Instant
    ) {
        let common: [JSON.Member] = [
            .init("plan", .string(plan.name)), .init("generation", .integer(Int64(clamping: state.generation))),
            .init("epoch", .integer(Int64(clamping: epoch ?? 0))),
        ]
        outbox.append(
            .record(
                RollbackEvent(
                    at: now, kind: kind, subject: plan.name, body: .object(common + (body.members ?? [])),
                    incident: incident, meaning: meaning)))
    }

    /// Writes a step of the active rollback to the history, with its evidence.
    mutating func recordStep(
        _ step: String, _ service: String?, _ detail: String, route: RouteID? = nil, more: [JSON.Member] = [],
        at now: Instant
    ) {
        note(step, service, detail, at: now)
        guard let rollback = state.rollback else { return }
        let members: [JSON.Member] = [
            .init("rollback", .string(rollback.id)), .init("step", .string(step)),
            .init("service", service.map(JSON.string) ?? .null), .init("detail", .string(detail)),
            .init("causes", .array(rollback.causes.map(\.json))),
        ]
        let name = route.map { self.name(of: $0) }
        let place = name.map { [JSON.Member("route", .string($0))] } ?? []
        record(
            .step, .object(members + place + more), incident: rollback.incident,
            meaning: .stepped(.init(name: step, service: service, route: name, detail: detail, rollback: rollback)),
            at: now)
    }

    /// The work on `route`, which must be one of the plan.
    subscript(_ route: RouteID) -> RouteWork {
        get { work[route.service]?.routes[route.index] ?? RouteWork() }
        set { work[route.service]?.routes[route.index] = newValue }
    }

    /// The state of every route.
    package var views: [RouteID: RouteView] {
        var views: [RouteID: RouteView] = [:]
        for (name, work) in work {
            for (index, route) in work.routes.enumerated() { views[RouteID(name, index)] = route.view }
        }
        return views
    }

    /// The routes of `service`.
    func routes(of service: String) -> [RouteID] {
        (work[service]?.routes.indices ?? 0..<0).map { RouteID(service, $0) }
    }

    /// The routes of `service` that were not given up.
    func keptRoutes(of service: String) -> [RouteID] {
        let abandoned = state.services[service]?.abandoned ?? []
        return routes(of: service).filter { !abandoned.contains($0.index) }
    }

    /// The minimum progress of the kept routes of `service`.
    func leastLeg(of service: String) -> RouteWork.Leg {
        keptRoutes(of: service).map { self[$0].leg }.min() ?? .isolated
    }

    /// Whether an operation of `route` may begin now. Otherwise sets the wake-up for its retry.
    mutating func isFree(_ route: RouteID, at now: Instant) -> Bool {
        let work = self[route]
        guard work.pending == nil else { return false }
        if let retry = work.retryAt, retry > now {
            wake(at: retry)
            return false
        }
        return true
    }

    /// Sends an operation to the router of `route`.
    mutating func operate(
        _ route: RouteID, _ purpose: RouteWork.Purpose, _ kind: RouterOperation.Kind, at now: Instant
    ) {
        guard let epoch, let definition = plan.service(route.service)?.routes[route.index] else { return }
        // A worker that exceeds all of its own timeouts has not responded.
        let patience = Milliseconds(rawValue: 3 * definition.timeout.rawValue) + .seconds(5)
        lastOperation &+= 1
        self[route].pending = RouteWork.Pending(
            id: lastOperation, purpose: purpose, since: now, deadline: now + patience)
        wake(at: now + patience)
        let revision = state.services[route.service]?.revision ?? 0
        let nonce = purpose.isReading ? "" : nonce(for: route, revision)
        outbox.append(
            .operate(
                RouterOperation(
                    id: lastOperation, epoch: epoch, generation: state.generation, service: route.service,
                    route: route.index, kind: kind,
                    key: "\(plan.name)/\(state.generation)/\(route.service)/\(revision)\(nonce)")))
    }

    /// Waits longer after each failure: 0.2, 0.4 … 5 s.
    mutating func retryLater(_ route: RouteID, _ obstacle: RouteWork.Obstacle? = nil, at now: Instant) {
        let count = self[route].failures
        self[route].failures = min(count + 1, 1000)
        self[route].obstacle = obstacle
        let delay = Milliseconds.milliseconds(min(5000, 200 << min(count, 5)))
        self[route].retryAt = now + delay
    }

    /// `detail`, with the route where the service has several.
    func text(_ detail: String, of route: RouteID) -> String {
        guard let routes = plan.service(route.service)?.routes, routes.count > 1 else { return detail }
        return "\(routes[route.index].name): \(detail)"
    }

    /// The name of `route` in texts.
    func name(of route: RouteID) -> String {
        plan.service(route.service)?.routes[route.index].name ?? route.description
    }

    /// Marks `service` as frozen and pages once.
    mutating func freeze(_ service: String, _ reason: String, at now: Instant) {
        guard state.services[service]?.frozen == nil else { return }
        state.services[service]?.frozen = reason
        if state.phase == .rollingBack { recordStep("frozen", service, reason, at: now) }
        journal("frozen", at: now)
        page("\(service)/frozen", "plan \(plan.name), service \(service): traffic stays where it is: \(reason)")
    }

    /// Ends ``freeze(_:_:at:)``, unless a route of `service` is still in trouble.
    mutating func thaw(_ service: String, at now: Instant) {
        guard state.services[service]?.frozen != nil,
            keptRoutes(of: service).allSatisfy({ self[$0].obstacle == nil })
        else { return }
        state.services[service]?.frozen = nil
        if state.phase == .rollingBack { recordStep("thawed", service, "", at: now) }
        journal("thawed", at: now)
    }

    /// Pages a person.
    ///
    /// - Returns: the key of the notice.
    @discardableResult
    mutating func page(_ key: String, _ text: String, severity: String = "critical") -> String {
        let key = "\(plan.name)/\(state.generation)/\(key)"
        let notice = RollbackNotice(
            plan: plan.name, key: key, kind: .page, text: text, receivers: plan.notify, severity: severity)
        outbox.append(.notify(notice))
        return key
    }

    /// Resolves the page with the key `key` of ``page(_:_:severity:)``.
    mutating func resolvePage(_ key: String, _ text: String) {
        outbox.append(
            .notify(
                RollbackNotice(
                    plan: plan.name, key: key, kind: .over, text: "plan \(plan.name)\(text)",
                    receivers: plan.notify)))
    }

    /// Whether the candidate of `service` has, or is about to get, any traffic.
    func takesTraffic(_ service: String) -> Bool {
        state.services[service]?.split ?? .allStable > .allStable
    }

    /// Whether a candidate's weight may rise now, apart from conditions of one service.
    func mayRaise(at now: Instant) -> Bool {
        state.phase == .promoting && !isCoolingDown(at: now)
    }

    /// Whether a trip still forbids promotion.
    public func isCoolingDown(at now: Instant) -> Bool {
        state.cooldownUntil.map { now < $0 } ?? false
    }
}
