internal import MetricModel

/// No data is not health: past its first stage, a candidate gets more traffic only when each rule that can take the
/// service back has measured it in the present stage. Lack of data holds, and is shown; it takes nothing back.
extension RolloutController {
    /// What rules are expected to measure; `demands` replace those of before.
    mutating func demandsChanged(to demands: [EvidenceDemand]) {
        self.demands = demands
        let rules = Set(demands.map(\.rule))
        evidence = evidence.filter { rules.contains($0.key) }
    }

    /// `rule` has measured services: `times` has for each the time of the newest sample that counted.
    mutating func evidenceMeasured(by rule: String, _ times: [String: Instant]) {
        for (service, time) in times {
            evidence[rule, default: [:]][service] = max(evidence[rule]?[service] ?? time, time)
        }
    }

    /// What keeps `service` in its stage for want of data; `nil` where nothing does, or its time has not come.
    public func lack(of service: String, at now: Instant) -> EvidenceLack? {
        guard state.phase == .promoting, let current = state.services[service], !current.isWithoutData,
            case .baking(_, let verified) = current.progress, let bake = plan.service(service)?.bake,
            current.isApproved || now >= verified + bake
        else { return nil }
        return lack(of: service, verified: verified) ?? work[service]?.gateLack
    }

    /// What `service` has not been measured by since its stage was `verified`.
    func lack(of service: String, verified: Instant) -> EvidenceLack? {
        guard state.services[service]?.isWithoutData != true else { return nil }
        // The clock of another process may have been another one.
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

    /// Whether data of the rule called `name` have to be there by now, because a candidate has had traffic for long
    /// enough.
    func isDataDue(of name: String, at now: Instant) -> Bool {
        guard let demand = demands.first(where: { $0.name == name }) else { return true }
        return demand.services.contains { isDataDue(of: $0, within: demand.firstData, seen: nil, at: now) }
    }

    /// Whether data of the candidate of `service` have to be there: it has had traffic for `span`, or data were `seen`
    /// since it has traffic.
    func isDataDue(of service: String, within span: Milliseconds, seen: Instant?, at now: Instant) -> Bool {
        guard takesTraffic(service) else { return false }
        guard let since = state.services[service]?.trafficSince else { return true }
        return now >= since + span || seen.map { $0 >= since } ?? false
    }

    /// Pages people once about each service that has lacked data for `gate_timeout`, and takes that back when it has
    /// them, or nothing is promoted any more.
    mutating func notifyOfLack(at now: Instant) {
        for service in plan.services.map(\.name) {
            guard let lack = lack(of: service, at: now) else {
                work[service]?.lackSince = nil
                guard let key = work[service]?.toldLack else { continue }
                work[service]?.toldLack = nil
                outbox.append(
                    .notify(
                        RollbackNotice(
                            plan: plan.name, key: key, kind: .over,
                            text: "plan \(plan.name): \(service) is no longer held back for want of data",
                            receivers: plan.notify)))
                continue
            }
            let since = work[service]?.lackSince ?? now
            work[service]?.lackSince = since
            let end = since + plan.gateTimeout
            if now < end { wake(at: end) }
            // What freezes the whole plan has been told.
            guard now >= end, work[service]?.toldLack == nil, toldFreeze == nil else { continue }
            let percent = state.services[service]?.split.candidate ?? 0
            let key = page(
                "\(service)/evidence",
                "plan \(plan.name): \(service) stays at \(percent) %: \(lack.description). Mend the measurement, "
                    + "or say: tribune rollout promote \(plan.name) --without-data --reason=…")
            work[service]?.toldLack = key
        }
    }
}
