internal import MetricModel
internal import PromQL
public import RuleModel
internal import YAML

extension RollbackDefinition {
    /// The fields that only rollback rules have.
    static let fieldNames = [
        "trip", "consecutive", "immediate", "severity", "missing", "min_samples", "guard", "cooldown", "clear", "mode",
        "action",
    ]
}

extension RollbackDefinition.Condition {
    /// Reads `< 0.95`. Returns `nil` for anything other than a comparison with a number.
    public init?(parsing text: String) {
        let trimmed = text.trimmingBlanks()
        let comparisons: [Comparison] = [.lessOrEqual, .greaterOrEqual, .equal, .notEqual, .less, .greater]
        guard let comparison = comparisons.first(where: { trimmed.hasPrefix($0.rawValue) }) else { return nil }
        let number = String(trimmed.dropFirst(comparison.rawValue.count)).trimmingBlanks()
        guard let threshold = Double(number), !threshold.isNaN else { return nil }
        self.init(comparison, threshold)
    }
}

extension RuleFileReader {
    mutating func rollback(_ fields: inout FieldReader, _ name: String, _ group: [LabelField]) -> Rule? {
        let expression = measured(&fields, "expr", required: true)
        let trip = condition(&fields, "trip", required: true)
        let action = action(&fields)
        let minimum = minimumSamples(&fields)
        let guardExpression = measured(&fields, "guard", required: false)
        let labels = merged(group, self.labels(&fields, "labels", kind: "label"))
        let annotations = self.labels(&fields, "annotations", kind: "annotation")
        let texts = templates(annotations, alert: name, kind: "annotation", &fields)
        var definition = RollbackDefinition(
            name: name, expression: expression?.description ?? "", trip: trip ?? .init(.less, 0),
            action: action ?? .init(plan: ""), labels: Labels(labels.map { Label($0.name, $0.text) }),
            annotations: Labels(annotations.map { Label($0.name, $0.text) }))
        definition.consecutive = consecutive(&fields)
        definition.immediate =
            (attempt { () throws(YAMLError) in try fields.optionalFlag("immediate") } ?? nil) ?? false
        definition.severity = text(&fields, "severity") ?? definition.severity
        definition.missing = missingPolicy(&fields)
        definition.minimumSamples = minimum.map {
            RollbackDefinition.MinimumSamples(expression: $0.expression.description, value: $0.value)
        }
        definition.guardExpression = guardExpression?.description
        definition.cooldown = duration(&fields, "cooldown") ?? definition.cooldown
        definition.clear = clearance(&fields)
        definition.mode = choice(&fields, "mode") ?? .enforce
        guard let expression, trip != nil, action != nil else { return nil }
        definition.longestRange = max(expression.longestRange, minimum?.expression.longestRange ?? .zero)
        return .rollback(
            RollbackQuery(
                definition: definition, expression: expression, minimumSamples: minimum?.expression,
                guardExpression: guardExpression, hash: definition.hash, annotations: texts))
    }

    /// An expression with a numeric result.
    private mutating func measured(_ fields: inout FieldReader, _ name: String, required: Bool) -> Expression? {
        if !required, fields.optional(name) == nil { return nil }
        guard let expression = expression(&fields, name) else { return nil }
        switch expression.valueType {
        case .vector, .scalar: return expression
        case .matrix, .string, .none:
            refuse(
                fields.fault(
                    "expected an instant vector or a scalar, got \(expression.valueType.documentedName)",
                    at: fields.optional(name), field: name))
            return nil
        }
    }

    private mutating func condition(
        _ fields: inout FieldReader, _ name: String, required: Bool
    ) -> RollbackDefinition.Condition? {
        guard let text = text(&fields, name) else {
            if required { refuse(fields.fault("field '\(name)' must be set in a rollback rule", field: name)) }
            return nil
        }
        if let condition = RollbackDefinition.Condition(parsing: text) { return condition }
        refuse(
            fields.fault(
                "expected a comparison with a number such as \"< 0.95\", got \(MetricText.quoted(text))",
                at: fields.optional(name), field: name))
        return nil
    }

    private mutating func consecutive(_ fields: inout FieldReader) -> Int {
        let count = (attempt { () throws(YAMLError) in try fields.optionalInteger("consecutive") } ?? nil) ?? 1
        if count >= 1 { return count }
        refuse(fields.fault("expected at least 1", at: fields.optional("consecutive"), field: "consecutive"))
        return 1
    }

    /// A mapping in the rule; `nil` if it is missing.
    private mutating func mapping(_ fields: inout FieldReader, _ name: String) -> FieldReader? {
        guard let node = fields.optional(name) else { return nil }
        return self.fields(node, fields.path(of: name))
    }

    private mutating func missingPolicy(_ fields: inout FieldReader) -> RollbackDefinition.MissingPolicy {
        var policy = RollbackDefinition.MissingPolicy()
        guard var inner = mapping(&fields, "missing") else { return policy }
        policy.policy = choice(&inner, "policy") ?? policy.policy
        policy.after = duration(&inner, "after")
        policy.then = choice(&inner, "then") ?? policy.then
        finish(inner)
        return policy
    }

    private mutating func minimumSamples(_ fields: inout FieldReader) -> (expression: Expression, value: Double)? {
        guard var inner = mapping(&fields, "min_samples") else { return nil }
        let expression = measured(&inner, "expr", required: true)
        let value = attempt { () throws(YAMLError) in try inner.optionalNumber("value") } ?? nil
        if value == nil { refuse(inner.fault("the field \"value\" is required")) }
        finish(inner)
        guard let expression, let value else { return nil }
        return (expression, value)
    }

    private mutating func clearance(_ fields: inout FieldReader) -> RollbackDefinition.Clearance? {
        guard var inner = mapping(&fields, "clear") else { return nil }
        let condition = condition(&inner, "trip", required: true)
        let hold = duration(&inner, "for") ?? .zero
        finish(inner)
        return condition.map { RollbackDefinition.Clearance(condition: $0, hold: hold) }
    }

    private mutating func share(_ fields: inout FieldReader, _ field: String) -> Int? {
        guard let share = attempt({ () throws(YAMLError) in try fields.optionalInteger(field) }) ?? nil else {
            return nil
        }
        if (1...99).contains(share) { return share }
        refuse(fields.fault("expected a share in percent from 1 to 99", at: fields.optional(field), field: field))
        return nil
    }

    private mutating func action(_ fields: inout FieldReader) -> RollbackDefinition.Action? {
        guard var inner = mapping(&fields, "action") else {
            if fields.optional("action") == nil {
                refuse(fields.fault("field 'action' must be set in a rollback rule", field: "action"))
            }
            return nil
        }
        if inner.optional("verdict") != nil { return verdict(&inner) }
        let plan = text(&inner, "plan") ?? ""
        if plan.isEmpty { refuse(inner.fault("one of the fields \"plan\" and \"verdict\" is required")) }
        let action = RollbackDefinition.Action(
            plan: plan, service: text(&inner, "service"), scope: choice(&inner, "scope") ?? .service,
            onTargetUnhealthy: choice(&inner, "on_target_unhealthy") ?? .freeze, reduceTo: share(&inner, "reduce_to"))
        finish(inner)
        return plan.isEmpty ? nil : action
    }

    /// The action of a rule that judges for another controller: it moves nothing, so it has no other field.
    private mutating func verdict(_ inner: inout FieldReader) -> RollbackDefinition.Action? {
        let name = text(&inner, "verdict") ?? ""
        if name.isEmpty { refuse(inner.fault("expected the name of a verdict", field: "verdict")) }
        for field in ["plan", "service", "scope", "on_target_unhealthy", "reduce_to"] {
            guard let node = inner.optional(field) else { continue }
            refuse(inner.fault("an action with \"verdict\" has no other field", at: node, field: field))
        }
        finish(inner)
        return name.isEmpty ? nil : RollbackDefinition.Action(verdict: name)
    }
}

extension String {
    /// The text without leading and trailing blanks.
    fileprivate func trimmingBlanks() -> String {
        let trimmed = drop { $0 == " " || $0 == "\t" }
        return String(trimmed.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
