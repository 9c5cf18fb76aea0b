public import MetricModel
internal import RE2
internal import TLS

/// One entry of `relabel_configs`, `metric_relabel_configs` and the like. A value; may be shared between threads.
public struct RelabelRule: Equatable, Sendable {
    /// The action of a rule.
    public enum Action: String, Equatable, Sendable, CaseIterable {
        case replace
        case keep
        case drop
        case keepequal
        case dropequal
        case hashmod
        case labelmap
        case labeldrop
        case labelkeep
        case lowercase
        case uppercase
    }

    /// The action.
    public var action = Action.replace
    /// The labels whose values are joined.
    public var sourceLabels: [String] = []
    /// The text between the joined values.
    public var separator = ";"
    /// The pattern, anchored at both ends, that the joined values (or a label name) must match.
    public var regex = "(.*)"
    /// The divisor of `hashmod`.
    public var modulus: UInt64 = 0
    /// The label that is written or compared.
    public var targetLabel = ""
    /// The text that is written.
    public var replacement = "$1"

    /// A rule with the default values.
    public init() {}
}

/// A list of relabelling rules, compiled. Immutable; may be shared between threads.
public struct Relabelling: Sendable {
    private struct Step: Sendable {
        let rule: RelabelRule
        let pattern: RegularExpression
    }

    private let steps: [Step]

    /// No rules: every label set is unchanged.
    public static let none = Relabelling(steps: [])

    private init(steps: [Step]) {
        self.steps = steps
    }

    /// Compiles `rules`. Throws for a pattern that RE2 rejects.
    public init(_ rules: [RelabelRule]) throws(RelabelError) {
        var steps: [Step] = []
        for rule in rules {
            do throws(RegularExpression.PatternError) {
                steps.append(Step(rule: rule, pattern: try RegularExpression(rule.regex)))
            } catch {
                throw RelabelError(message: error.description)
            }
        }
        self.init(steps: steps)
    }

    /// Whether there are no rules.
    public var isEmpty: Bool { steps.isEmpty }

    /// The labels after all rules; `nil` if a rule drops the target or sample.
    public func apply(to labels: Labels) -> Labels? {
        var labels = labels
        for step in steps {
            guard Self.apply(step, &labels) else { return nil }
        }
        return labels
    }

    /// Returns false if the label set is dropped.
    private static func apply(_ step: Step, _ labels: inout Labels) -> Bool {
        let rule = step.rule
        let source = rule.sourceLabels.map { labels[$0] ?? "" }.joined(separator: rule.separator)
        switch rule.action {
        case .drop: return !step.pattern.matchesWhole(source)
        case .keep: return step.pattern.matchesWhole(source)
        case .dropequal: return !ByteOrder.equal(labels[rule.targetLabel] ?? "", source)
        case .keepequal: return ByteOrder.equal(labels[rule.targetLabel] ?? "", source)
        case .replace: replace(step, source, &labels)
        case .lowercase: labels.set(rule.targetLabel, to: source.lowercased())
        case .uppercase: labels.set(rule.targetLabel, to: source.uppercased())
        case .hashmod: labels.set(rule.targetLabel, to: String(hash(source) % max(rule.modulus, 1)))
        case .labelmap:
            for pair in labels.pairs {
                guard let name = step.pattern.expandWhole(pair.name, template: rule.replacement), !name.isEmpty else {
                    continue
                }
                labels.set(name, to: pair.value)
            }
        case .labeldrop: labels = labels.filter { !step.pattern.matchesWhole($0) }
        case .labelkeep: labels = labels.filter { step.pattern.matchesWhole($0) }
        }
        return true
    }

    private static func replace(_ step: Step, _ source: String, _ labels: inout Labels) {
        guard let target = step.pattern.expandWhole(source, template: step.rule.targetLabel), !target.isEmpty,
            let value = step.pattern.expandWhole(source, template: step.rule.replacement)
        else { return }
        labels.set(target, to: value)
    }

    /// The last eight bytes of the MD5 hash, big-endian.
    private static func hash(_ source: String) -> UInt64 {
        MD5.hash(Array(source.utf8)).suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// Why relabelling rules are invalid.
public struct RelabelError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The reason.
    public var message: String
    /// The reason.
    public var description: String { message }
}

extension Labels {
    fileprivate func filter(_ keep: (String) -> Bool) -> Labels {
        Labels(sorted: pairs.filter { keep($0.name) })
    }
}
