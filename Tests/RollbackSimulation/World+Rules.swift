import MetricModel
import Rollback
import RuleModel

/// Measurements of the rule, and their required results.
extension World {
    private static let key = "f;g;R"

    mutating func measure() {
        guard let phase = machine?.controller.state.phase else { return }
        let tracks = machine?.rules[Self.key]?.tracks ?? [:]
        var values: [RollbackMeasurement.Element] = []
        values.reserveCapacity(elements.count)
        for index in elements.indices {
            if now >= elements[index].until { elements[index].condition = .healthy }
            let outcome = outcome(of: elements[index])
            elements[index].outcome = outcome
            elements[index].before = tracks[elements[index].labels]?.state ?? .armed
            let value: Double? =
                switch outcome {
                case .healthy: 1
                case .violated: 0.5
                case .sparse: 0.5
                case .missing: sabotage == .countsMissing ? 0.5 : sabotage == .resetsOnMissing ? 1 : nil
                }
            guard let value else { continue }
            if outcome != .sparse { elements[index].countedAt = now }
            values.append(.init(labels: elements[index].labels, value: value, counts: outcome != .sparse))
        }
        var definition = rule
        if sabotage == .dropsTrips { definition.mode = .shadow }
        if sabotage == .skipsCooldown { definition.cooldown = .zero }
        let measurement = RollbackMeasurement(
            rule: Self.key, ruleHash: "h", definition: definition, time: clock.timestamp, elements: values)
        let now = clock
        let running = process
        hasAdopted = false
        let wasObserving = machine?.controller.state.observingUntil != nil
        step { (machine: inout PlanMachine) in machine.measured(measurement, at: now) }
        let isCertain = running == process
        for index in elements.indices {
            elements[index].model.measured(
                elements[index].outcome, rule.missing, isDue: isDue(elements[index].service), isCertain: isCertain)
        }
        let isRearmed = hasBegun
        if hasBegun { rearmed() }
        for index in elements.indices where rearmedElements.contains(elements[index].labels) {
            elements[index].model.rearmed(isCertain: isCertain)
        }
        rearmedElements = []
        guard isCertain, let after = machine else { return }
        // Trips that were not acted on count again with the next violation.
        if hasAdopted { return }
        if wasObserving, after.controller.state.observingUntil == nil { return }
        for element in elements { checkRule(element, phase, after, isRearmed: isRearmed) }
        if let track = after.rules[Self.key]?.tracks[.empty], track.state != .armed {
            check(.missingNeverTrips, tripsWithoutData, "the rule as a whole tripped")
        }
    }

    private func outcome(of element: Element) -> RuleModel.Outcome {
        guard now < element.until else { return .healthy }
        // A bad candidate is seen only while it has traffic.
        let hasTraffic = routes(of: element.service).contains { routers[$0]?.live ?? .allStable > .allStable }
        return switch element.condition {
        case .healthy: .healthy
        case .bad: hasTraffic ? .violated : .healthy
        case .missing: .missing
        case .sparse: .sparse
        }
    }

    /// The rule in force for the process.
    var watch: RuleWatch {
        RuleWatch(
            rule: Self.key, definition: rule,
            services: sabotage == .asksForNoData ? [] : plan.services.map(\.name), firstData: firstData)
    }

    /// The most that a trip leaves to a candidate.
    var highestAfterTrip: TrafficSplit {
        rule.action.reduceTo.flatMap(TrafficSplit.init(candidate:)) ?? .allStable
    }

    private var firstData: Milliseconds { rule.longestRange + .milliseconds(2 * shape.interval) }

    /// Whether the candidate has had traffic for so long that its data are certainly missing.
    private func isDue(_ name: String) -> Bool {
        // A node that does not know yet what another one did waits for no data of it.
        guard sabotage != .asksForNoData, !(leaseLost && isHandedOver), let service = lastState.services[name],
            service.split > .allStable,
            let since = service.trafficSince
        else { return false }
        return clock >= since + firstData
    }

    /// The service is about to pass a stage.
    mutating func checkCounted(_ name: String) {
        guard rule.mode == .enforce || plan.freezeIf.contains(rule.name), rule.missing.policy != .pass,
            let element = elements.first(where: { $0.service == name }), !element.isExcused,
            let verified = element.verifiedAt
        else { return }
        let isCounted = element.countedAt.map { $0 >= verified + rule.longestRange } ?? false
        check(.countedData, isCounted, "\(name) rises, last counted at \(element.countedAt?.nanoseconds ?? 0)")
    }

    private var tripsWithoutData: Bool {
        rule.missing.policy == .trip || rule.missing.after != nil && rule.missing.then == .trip
    }

    /// - Parameters:
    ///   - phase: the phase of the rollout before the measurement.
    ///   - isRearmed: whether a rollout began at the measurement, which ends the trips of the one before.
    private mutating func checkRule(
        _ element: Element, _ phase: RolloutState.Phase, _ after: PlanMachine, isRearmed: Bool
    ) {
        let (name, outcome, model, old) = (element.service, element.outcome, element.model, element.before)
        let new = after.rules[Self.key]?.tracks[element.labels]?.state ?? .armed
        switch (old, new) {
        case (.armed, .tripped):
            check(.missingNeverTrips, outcome == .violated || tripsWithoutData, "\(name) tripped on \(outcome) data")
            let needed = rule.consecutive
            check(
                .missingNeverTrips, model.most >= needed,
                "\(name) tripped after at most \(model.most) violations of \(needed)")
            beginCooldown(phase)
        case (.tripped, .armed):
            check(.missingNeverResets, isRearmed || outcome == .healthy, "\(name)'s trip ended on \(outcome) data")
        case (.armed, .armed), (.tripped, .tripped): break
        }
        guard outcome == .violated, model.least >= rule.consecutive else { return }
        check(model.shortened, new != .armed, "\(name) did not trip after \(model.least) violations")
        checkTripActed(name, after.controller)
    }

    /// A rule was violated often enough: none of its services may have a candidate with traffic.
    private mutating func checkTripActed(_ name: String, _ controller: RolloutController) {
        guard rule.mode == .enforce, !leaseLost else { return }
        if controller.state.phase == .idle { checkUnmanagedTrip(name, controller) }
        switch controller.state.phase {
        case .idle, .retired: return
        case .promoting, .paused, .promoted, .rollingBack, .rolledBack: break
        }
        let targets = order.targets(of: name, rule.action.scope)
        let traffic = targets.filter { name in
            controller.state.services[name]?.split ?? .allStable > highestAfterTrip && !isStuck(name)
        }
        if controller.state.observingUntil != nil {
            let isTold = traffic.isEmpty || told.contains { $0.contains("/no-shift: ") }
            return check(.observing, isTold, "\(name) is violated, and nobody was told")
        }
        check(.oneRollback, traffic.isEmpty, "\(name) is violated, \(traffic) are still promoted")
    }

    private mutating func beginCooldown(_ phase: RolloutState.Phase) {
        guard rule.mode == .enforce, !leaseLost else { return }
        switch phase {
        case .idle, .retired, .rolledBack: return
        case .promoting, .paused, .promoted, .rollingBack:
            memory.cooldownUntil = max(memory.cooldownUntil, clock + rule.cooldown)
        }
    }
}
