internal import MetricModel

/// Missing data is not health: after its first stage, a candidate gets more traffic only when each rule that can roll
/// back its service has measured it in the present stage. Missing data holds the stage, with a reason, but causes no
/// rollback.
extension RolloutController {
    /// Sets the measurements expected of rules.
    mutating func demandsChanged(to demands: [EvidenceDemand]) {
        self.demands = demands
        let rules = Set(demands.map(\.rule))
        evidence = evidence.filter { rules.contains($0.key) }
    }

    /// `rule` has measured services: `times` has the time of the newest sample that counted of each.
    mutating func evidenceMeasured(by rule: String, _ times: [String: Instant]) {
        for (service, time) in times {
            evidence[rule, default: [:]][service] = max(evidence[rule]?[service] ?? time, time)
        }
    }

    /// The missing measurement that holds `service` in its stage; `nil` if there is none, or before it is due.
    public func lack(of service: String, at now: Instant) -> EvidenceLack? {
        guard state.phase == .promoting, let current = state.services[service], !current.isWithoutData,
            case .baking(_, let verified) = current.progress, let bake = plan.service(service)?.bake,
            current.isApproved || now >= verified + bake
        else { return nil }
        return lack(of: service, verified: verified) ?? work[service]?.gateLack
    }

    /// The rule that has not measured `service` since its stage was `verified`.
    func lack(of service: String, verified: Instant) -> EvidenceLack? {
        guard state.services[service]?.isWithoutData != true else { return nil }
        // Another process may have used another clock.
        let start = max(verified, began ?? verified)
        for demand in demands where demand.services.contains(service) && isRequired(demand) {
            let last = evidence[demand.rule]?[service]
            if let last, last >= start + demand.range { continue }
            let since = last ?? state.services[service]?.trafficSince ?? verified
            return EvidenceLack(rule: demand.name, service: service, since: since)
        }
        for gate in plan.service(service)?.gates ?? [] {
            guard case .rule(let name) = gate.kind else { continue }
            switch standings[name] {
            case .healthy, .violated: continue
            case .missing, nil: return EvidenceLack(rule: name, service: service, since: verified)
            }
        }
        return nil
    }

    private func isRequired(_ demand: EvidenceDemand) -> Bool {
        !demand.isExempt && (demand.isEnforced || plan.freezeIf.contains(demand.name))
    }

    /// Whether the rule `name` must have data by now, because a candidate has had traffic for long enough.
    func isDataDue(of name: String, at now: Instant) -> Bool {
        guard let demand = demands.first(where: { $0.name == name }) else { return true }
        return demand.services.contains { isDataDue(of: $0, within: demand.firstData, seen: nil, at: now) }
    }

    /// Whether the candidate of `service` must have data: it has had traffic for `span`, or data were `seen` since it
    /// got traffic.
    func isDataDue(of service: String, within span: Milliseconds, seen: Instant?, at now: Instant) -> Bool {
        guard takesTraffic(service) else { return false }
        guard let since = state.services[service]?.trafficSince else { return true }
        return now >= since + span || seen.map { $0 >= since } ?? false
    }

    /// Pages once about each service that has lacked data for `gate_timeout`, and resolves the page when it has data or
    /// nothing is promoted any more.
    mutating func notifyOfLack(at now: Instant) {
        for service in plan.services.map(\.name) {
            guard let lack = lack(of: service, at: now) else {
                work[service]?.lackSince = nil
                guard let key = work[service]?.lackPage else { continue }
                work[service]?.lackPage = nil
                resolvePage(key, ": \(service) is no longer held back by missing data")
                continue
            }
            let since = work[service]?.lackSince ?? now
            work[service]?.lackSince = since
            let end = since + plan.gateTimeout
            if now < end { wake(at: end) }
            // A freeze of the whole plan has been notified.
            guard now >= end, work[service]?.lackPage == nil, freezePage == nil else { continue }
            let stage = (state.services[service]?.split ?? .allStable).stageName
            let page = page(
                "\(service)/evidence",
                "plan \(plan.name): \(service) stays at \(stage): \(lack.description). Repair the measurement, "
                    + "or run: tribune rollout promote \(plan.name) --without-data --reason=…")
            work[service]?.lackPage = page
        }
    }
}
