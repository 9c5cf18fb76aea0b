internal import MetricModel

/// Validation: the stable version is healthy, the candidate has no traffic by read-back and by its request counters,
/// and compliance is restored, for several rounds in a row.
extension RolloutController {
    /// A rule was measured: healthy (`false`), violated (`true`) or missing (`nil`).
    ///
    /// - Parameters:
    ///   - key: `file;group;name` of the rule.
    ///   - evidence: the time of the newest sample of each service whose measurement counts.
    public mutating func ruleMeasured(
        _ name: String, isViolated: Bool?, key: String = "", evidence: [String: Instant] = [:], at now: Instant
    ) -> [Action] {
        evidenceMeasured(by: key, evidence)
        return handle(at: now) { controller in
            switch isViolated {
            case true?:
                controller.standings[name] = .violated
                controller.validating.ruleRounds[name] = 0
            case false?:
                controller.standings[name] = .healthy
                controller.validating.ruleRounds[name, default: 0] += 1
            case nil: controller.standings[name] = .missing
            }
        }
    }

    /// Requests rounds of checks until enough have succeeded or the time is over.
    mutating func advanceValidation(_ rollback: RollbackRecord, at now: Instant) {
        let since = rollback.validatingSince ?? now
        let end = since + plan.validation.timeout
        let unproven = plan.validation.rules.filter { validating.ruleRounds[$0, default: 0] < plan.validation.rounds }
        if validating.goodRounds >= plan.validation.rounds, unproven.isEmpty {
            let counters = validating.sawCounters ? "read-back and request counters" : "read-back"
            let stored = storedRoutes(of: rollback)
            let traffic =
                stored.isEmpty
                ? "traffic confirmed by \(counters)" : "stored, effect unknown: \(stored.joined(separator: ", "))"
            let rules =
                plan.validation.rules.isEmpty ? "" : "; \(plan.validation.rules.joined(separator: ", ")) healthy"
            let abandoned = abandonedText(rollback)
            // Routes that could not be read are not confirmed.
            if !abandoned.isEmpty { return conclude(isValid: false, abandoned, at: now) }
            return conclude(
                isValid: true, isOnlyStored: !stored.isEmpty,
                "stable healthy, \(traffic), \(validating.goodRounds) rounds in a row\(rules)",
                at: now)
        }
        guard now < end else {
            let fault =
                validating.goodRounds >= plan.validation.rounds
                ? "not measured healthy \(plan.validation.rounds) times: \(unproven.joined(separator: ", "))"
                : validating.lastFault
            return conclude(isValid: false, fault, at: now)
        }
        wake(at: end)
        guard validating.awaited.isEmpty else { return }
        if let next = validating.nextRound, next > now { return wake(at: next) }
        let routes = rollback.services.flatMap { keptRoutes(of: $0) }
        guard !routes.isEmpty else { return conclude(isValid: false, abandonedText(rollback), at: now) }
        guard routes.map({ isFree($0, at: now) }).allSatisfy(\.self) else { return }
        validating.fault = nil
        validating.awaited = Set(routes)
        validating.nextRound = now + plan.validation.interval
        for route in routes { operate(route, .validate, .inspect, at: now) }
    }

    /// The routes of the services of `rollback` that a person has given up; empty if there are none.
    private func abandonedText(_ rollback: RollbackRecord) -> String {
        let names = rollback.services.flatMap { name in
            (state.services[name]?.abandoned ?? []).sorted().map { index in
                "\(name): \(plan.service(name)?.routes[index].name ?? "")"
            }
        }
        return names.isEmpty ? "" : "given up: \(names.joined(separator: ", "))"
    }

    /// The routes of `rollback` whose last reading says nothing about the traffic itself: neither what divides it was
    /// read, nor did the candidate's request counter stand still.
    private func storedRoutes(of rollback: RollbackRecord) -> [String] {
        rollback.services.flatMap { keptRoutes(of: $0) }.filter { route in
            self[route].view.reading?.grade == .stored
                && (validating.candidateRequests[route] == nil || validating.goodRounds < 2)
        }.map { "\($0.service): \(name(of: $0))" }
    }

    private mutating func conclude(isValid: Bool, isOnlyStored: Bool = false, _ detail: String, at now: Instant) {
        state.rollback?.verdict = RollbackRecord.Verdict(
            isValid: isValid, detail: detail, isOnlyStored: isOnlyStored)
        state.rollback?.step = .report
        recordStep(isValid ? "validated" : "invalid", nil, detail, at: now)
        journal(isValid ? "validated" : "invalid", at: now)
        validating = Validating()
        guard !isValid else { return }
        page("validation", "plan \(plan.name): the rollback is done but could not be validated: \(detail)")
    }

    /// The router of one route has replied in a round.
    mutating func validationAnswered(_ route: RouteID, _ result: OperationResult, at now: Instant) {
        guard validating.awaited.remove(route) != nil else { return }
        hasChanged = true
        if let fault = fault(of: route, in: result) {
            validating.fault = "\(route.service): \(text(fault, of: route))"
        }
        guard validating.awaited.isEmpty else { return }
        if let fault = validating.fault {
            validating.goodRounds = 0
            validating.lastFault = fault
        } else {
            validating.goodRounds += 1
        }
    }

    /// The error of a service that has been rolled back.
    private mutating func fault(of route: RouteID, in result: OperationResult) -> String? {
        guard case .inspected(let seen) = result else {
            if case .failed(let reason) = result { return "the router cannot be read: \(reason)" }
            return "the router cannot be read"
        }
        guard seen.split == .allStable else {
            self[route].reconcileAt = nil
            return "traffic is \(seen.split?.description ?? "divided among no versions")"
        }
        switch seen.stable {
        case .healthy: break
        case .unhealthy(let reason), .unknown(let reason):
            return "the stable version is not verified healthy: \(reason)"
        }
        guard let count = seen.candidateRequests else { return nil }
        let before = validating.candidateRequests.updateValue(count, forKey: route)
        guard let before else { return nil }
        validating.sawCounters = true
        // A counter that decreased belongs to a restarted router.
        return count > before ? "the candidate still got \(count - before) requests" : nil
    }
}
