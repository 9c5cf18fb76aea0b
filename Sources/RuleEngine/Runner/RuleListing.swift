internal import MetricModel
internal import PromQL
internal import RuleModel
internal import Synchronization

/// A loaded group with the units that evaluate its rules.
struct RuleListing: Sendable {
    var group: RuleGroup
    var settings: RuleSettings
    var units: [RuleUnit]

    /// The group as shown by the API.
    var snapshot: RuleGroupSnapshot {
        var states = [RuleState](repeating: RuleState(), count: group.rules.count)
        var seconds = 0.0
        var last: Timestamp?
        for unit in units {
            let published = unit.published.withLock { $0 }
            for (position, state) in zip(unit.plan.positions, published.states) where position < states.count {
                states[position] = state
            }
            seconds += published.evaluationSeconds
            last = [last, published.lastEvaluation].compactMap(\.self).max()
        }
        return RuleGroupSnapshot(
            name: group.name, file: group.file, interval: group.interval ?? settings.evaluationInterval,
            limit: group.limit, rules: zip(group.rules, states).map { $0.snapshot($1) }, evaluationSeconds: seconds,
            lastEvaluation: last)
    }
}

extension Rule {
    fileprivate func snapshot(_ state: RuleState) -> RuleSnapshot {
        let (labels, kind): (Labels, RuleSnapshot.Kind) =
            switch self {
            case .recording(let rule): (Labels(rule.labels), .recording)
            case .alerting(let rule):
                (
                    rule.labelSources,
                    .alerting(
                        hold: rule.hold, keepFiring: rule.keepFiring, annotations: rule.annotationSources,
                        alerts: state.alerts.active.map(ActiveAlertSnapshot.init))
                )
            case .rollback(let rule):
                (
                    rule.definition.labels,
                    .rollback(
                        trip: rule.definition.trip.description, severity: rule.definition.severity,
                        mode: rule.definition.mode.rawValue, streak: 0, annotations: rule.definition.annotations,
                        alerts: [])
                )
            }
        return RuleSnapshot(
            name: name, query: expression.description, labels: labels, kind: kind, health: state.health,
            lastError: state.lastError, evaluationSeconds: state.evaluationSeconds,
            lastEvaluation: state.lastEvaluation)
    }
}

extension ActiveAlertSnapshot {
    /// The alert as shown by the API.
    init(_ instance: AlertInstance) {
        var keepFiringSince: Timestamp?
        if case .keepingFiring(_, let since) = instance.state { keepFiringSince = since }
        self.init(
            labels: instance.labels, annotations: instance.annotations, state: State(instance),
            activeAt: instance.activeAt, keepFiringSince: keepFiringSince, value: instance.value)
    }
}
