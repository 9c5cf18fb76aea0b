internal import MetricModel
internal import PromQL
internal import RuleModel

extension GroupEvaluation {
    /// Restores the rule's alerts to their state before a restart. Runs once, after the first evaluation.
    ///
    /// - Throws: if a server does not tell the stored state. It is asked again after the next evaluation; until then
    ///   alerts count from this start, and nothing overwrites the stored state.
    func restore(_ rule: AlertingRule, _ index: Int, at time: Timestamp, from source: RuleSource) throws(RuleFailure) {
        if rule.hold > .zero, !states[index].alerts.instances.isEmpty {
            let stored: [Labels: AlertSet.StoredState]
            switch source {
            case .store(let store): stored = storedStates(of: rule, at: time, from: store)
            case .server(let session): stored = try storedStates(of: rule, at: time, from: session)
            }
            states[index].alerts.restore(stored, at: time, hold: rule.hold, grace: settings.gracePeriod)
        }
        states[index].isRestored = true
    }

    private func storedStates(
        of rule: AlertingRule, at time: Timestamp, from source: any Queryable
    ) -> [Labels: AlertSet.StoredState] {
        let matchers = [
            Matcher(Labels.metricName, .equal, AlertSet.stateMetric), Matcher("alertname", .equal, rule.name),
        ]
        // If the old state cannot be read, alerts start as new ones, as Prometheus's do without stored state.
        let found = try? source.select(
            matchers, from: time - settings.outageTolerance, through: time, sampleLimit: 10_000_000)
        return Self.states(in: found ?? [], without: .empty)
    }

    private func storedStates(
        of rule: AlertingRule, at time: Timestamp, from session: RuleServerSession
    ) throws(RuleFailure) -> [Labels: AlertSet.StoredState] {
        guard settings.outageTolerance > .zero else { return [:] }
        let selector = "\(AlertSet.stateMetric){alertname=\(MetricText.quoted(rule.name))}"
        let query = RuleQuery("\(selector)[\(settings.outageTolerance)]", at: time)
        do throws(RuleFailure) {
            guard case .matrix(let found) = try session.value(query) else {
                throw .unknown("expected a matrix")
            }
            return Self.states(in: found, without: settings.externalLabels)
        } catch {
            throw .unknown("cannot read \(AlertSet.stateMetric): \(error.description)")
        }
    }

    /// The newest state in each of `series`, by the labels of its alert.
    ///
    /// - Parameter external: labels that remote write has added. Series of other senders, where they differ, are not
    ///   ours.
    private static func states(
        in series: [SeriesSamples], without external: Labels
    ) -> [Labels: AlertSet.StoredState] {
        var stored: [Labels: AlertSet.StoredState] = [:]
        for series in series {
            guard let last = series.timestamps.last, let value = series.values.last, !value.isStaleMarker else {
                continue
            }
            let state = AlertSet.StoredState(
                writtenAt: Timestamp(milliseconds: last), activeAtSeconds: value)
            let labels = series.labels.dropping([Labels.metricName])
            stored[labels] = state
            let added = external.pairs.filter { pair in
                labels[pair.name].map { ByteOrder.equal($0, pair.value) } ?? false
            }
            // Also under the labels that the alert has before it is sent.
            if added.count == external.count, !external.isEmpty { stored[labels.dropping(added.map(\.name))] = state }
        }
        return stored
    }
}
