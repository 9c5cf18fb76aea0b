internal import MetricModel
package import RuleModel

extension RollbackRule {
    /// The tripped elements, as firing alerts: the labels of the element with those of the rule, its name and severity.
    package var alerts: [ActiveAlertSnapshot] {
        tracks.sorted { $0.key < $1.key }.compactMap { labels, track in
            guard case .tripped(let at, _) = track.state else { return nil }
            var all = definition.labels.setting("severity", to: definition.severity).setting(labels)
            all.set("alertname", to: definition.name)
            return ActiveAlertSnapshot(
                labels: all, annotations: track.annotations, state: .firing, activeAt: at, keepFiringSince: nil,
                value: track.samples.last?.value ?? .nan)
        }
    }
}
