internal import MetricModel
public import RuleModel
internal import TLS

extension RollbackDefinition {
    /// The definition in a fixed order and notation. Equal rules have equal text, whatever the layout of their file.
    ///
    /// It contains everything that affects a decision, and labels and annotations, because they are part of the
    /// evidence.
    public var canonicalText: String {
        var lines: [(String, String)] = [
            ("rollback", name), ("expr", expression), ("trip", trip.description), ("consecutive", String(consecutive)),
            ("immediate", String(immediate)), ("severity", severity), ("missing.policy", missing.policy.rawValue),
            ("missing.after", missing.after?.description ?? ""), ("missing.then", missing.then.rawValue),
            ("guard", guardExpression ?? ""), ("cooldown", cooldown.description), ("mode", mode.rawValue),
            ("action.plan", action.plan), ("action.service", action.service ?? ""),
            ("action.scope", action.scope.rawValue),
            ("action.on_target_unhealthy", action.onTargetUnhealthy.rawValue), ("labels", labels.description),
            ("annotations", annotations.description),
        ]
        // Only where it is set, so that rules without it keep the hash that earlier versions recorded.
        if let share = action.reduceTo { lines.append(("action.reduce_to", String(share))) }
        if let verdict = action.verdict { lines.append(("action.verdict", verdict)) }
        if let minimumSamples {
            lines.append(("min_samples.expr", minimumSamples.expression))
            lines.append(("min_samples.value", FloatText.general(minimumSamples.value)))
        }
        if let clear {
            lines.append(("clear.trip", clear.condition.description))
            lines.append(("clear.for", clear.hold.description))
        }
        return lines.map { "\($0): \(MetricText.quoted($1))\n" }.joined()
    }

    /// SHA-256 of ``canonicalText``, as hexadecimal digits.
    public var hash: String { SHA256.hex(canonicalText) }
}
