internal import GoTemplate
internal import MetricModel
public import PromQL
internal import RuleModel
internal import YAML

extension RuleFile {
    /// How strictly a file is read.
    public struct LoadingOptions: Sendable {
        /// Which expressions are accepted.
        public var features: ParserFeatures
        /// Whether unknown fields are ignored.
        public var ignoresUnknownFields: Bool

        /// By default, everything unknown is rejected.
        public init(features: ParserFeatures = .standard, ignoresUnknownFields: Bool = false) {
            self.features = features
            self.ignoresUnknownFields = ignoresUnknownFields
        }
    }

    /// Reads the groups of all documents in `bytes`. `path` is used only in errors.
    public init(
        parsing bytes: [UInt8], path: String, options: LoadingOptions = LoadingOptions()
    ) throws(RuleFileError) {
        var reader = RuleFileReader(file: path, options: options)
        let documents: [YAMLNode]
        do throws(YAMLError) {
            documents = try YAML.parse(bytes, file: path)
        } catch {
            throw RuleFileError(faults: [error])
        }
        var groups: [RuleGroup] = []
        for document in documents { groups += reader.groups(of: document) }
        guard reader.faults.isEmpty else { throw RuleFileError(faults: reader.faults) }
        self.init(path: path, groups: groups)
    }
}

/// Reads one rule file and collects all its errors.
struct RuleFileReader {
    let file: String
    let options: RuleFile.LoadingOptions
    private(set) var faults: [YAMLError] = []
    private var groupNames: Set<String> = []

    init(file: String, options: RuleFile.LoadingOptions) {
        self.file = file
        self.options = options
    }

    // MARK: Faults

    mutating func attempt<Value>(_ read: () throws(YAMLError) -> Value) -> Value? {
        do throws(YAMLError) {
            return try read()
        } catch {
            faults.append(error)
            return nil
        }
    }

    mutating func refuse(_ fault: YAMLError) { faults.append(fault) }

    /// A reader for the mapping `node`, or `nil` after an error.
    mutating func fields(_ node: YAMLNode, _ path: String) -> FieldReader? {
        attempt { [file] () throws(YAMLError) in try FieldReader(node, path: path, file: file) }
    }

    mutating func finish(_ fields: FieldReader) {
        faults += fields.faults
        if !options.ignoresUnknownFields { faults += fields.unknownFields() }
    }

    // MARK: Groups

    mutating func groups(of document: YAMLNode) -> [RuleGroup] {
        guard var fields = fields(document, "") else { return [] }
        let nodes = attempt { () throws(YAMLError) in try fields.list("groups") } ?? []
        var groups: [RuleGroup] = []
        for (index, node) in nodes.enumerated() {
            if let group = group(node, "groups[\(index)]") { groups.append(group) }
        }
        finish(fields)
        return groups
    }

    private mutating func group(_ node: YAMLNode, _ path: String) -> RuleGroup? {
        guard var fields = fields(node, path) else { return nil }
        let name = text(&fields, "name") ?? ""
        if name.isEmpty {
            refuse(fields.fault("Groupname must not be empty", field: "name"))
        } else if !groupNames.insert(name).inserted {
            refuse(
                fields.fault(
                    "groupname: \(MetricText.quoted(name)) is repeated in the same file", at: fields.optional("name"),
                    field: "name"))
        }
        var group = RuleGroup(file: file, name: name, rules: [])
        group.interval = duration(&fields, "interval").flatMap { $0 == .zero ? nil : $0 }
        group.limit = attempt { () throws(YAMLError) in try fields.optionalInteger("limit") ?? 0 } ?? 0
        group.queryOffset = duration(&fields, "query_offset")
        group.trigger = choice(&fields, "trigger")
        group.query = text(&fields, "query")
        partialResponse(&fields)
        let labels = labels(&fields, "labels", kind: "label")
        let nodes = attempt { () throws(YAMLError) in try fields.list("rules") } ?? []
        var rollbacks: Set<String> = []
        for (index, node) in nodes.enumerated() {
            guard let rule = rule(node, "\(path).rules[\(index)]", group: labels) else { continue }
            if case .rollback(let query) = rule, !rollbacks.insert(query.definition.name).inserted {
                refuse(fields.fault("rollback rule \(MetricText.quoted(rule.name)) is repeated in the group", at: node))
            }
            group.rules.append(rule)
        }
        finish(fields)
        return group
    }

    /// Thanos Ruler's field. An answer that is not whole is never used here.
    private mutating func partialResponse(_ fields: inout FieldReader) {
        guard let strategy = text(&fields, "partial_response_strategy"), strategy.lowercased() != "abort" else {
            return
        }
        refuse(
            fields.fault(
                "only \"abort\" is possible: a rule does not use an answer that is not whole",
                at: fields.optional("partial_response_strategy"), field: "partial_response_strategy"))
    }

    private mutating func rule(_ node: YAMLNode, _ path: String, group: [LabelField]) -> Rule? {
        guard var fields = fields(node, path) else { return nil }
        let record = text(&fields, "record") ?? ""
        let alert = text(&fields, "alert") ?? ""
        let rollback = text(&fields, "rollback") ?? ""
        defer { finish(fields) }
        switch (record.isEmpty, alert.isEmpty, rollback.isEmpty) {
        case (false, true, true): return recording(&fields, record, group)
        case (true, false, true): return alerting(&fields, alert, group)
        case (true, true, false): return self.rollback(&fields, rollback, group)
        case (true, true, true): refuse(fields.fault("one of 'record' or 'alert' must be set"))
        default: refuse(fields.fault("only one of 'record', 'alert' and 'rollback' must be set"))
        }
        // The other fields are read too, so that only unknown fields are reported as unknown.
        _ = expression(&fields, "expr")
        for name in Self.ruleFields { _ = fields.optional(name) }
        return nil
    }

    private static let ruleFields =
        ["for", "keep_firing_for", "labels", "annotations", "record_history"] + RollbackDefinition.fieldNames

    private mutating func recording(_ fields: inout FieldReader, _ name: String, _ group: [LabelField]) -> Rule? {
        let expression = expression(&fields, "expr")
        if name.contains("{") || name.contains("}") {
            refuse(
                fields.fault(
                    "braces present in the recording rule name; should it be in expr?: \(name)",
                    at: fields.optional("record"), field: "record"))
        }
        for field in ["for", "keep_firing_for"] where (duration(&fields, field) ?? .zero) != .zero {
            refuse(
                fields.fault("invalid field '\(field)' in recording rule", at: fields.optional(field), field: field))
        }
        if let node = fields.optional("annotations"), node.members?.isEmpty != true {
            refuse(fields.fault("invalid field 'annotations' in recording rule", at: node, field: "annotations"))
        }
        let labels = merged(group, labels(&fields, "labels", kind: "label"))
        let recordsHistory = attempt { () throws(YAMLError) in try fields.optionalFlag("record_history") } ?? nil
        guard let expression else { return nil }
        return .recording(
            RecordingRule(
                name: name, expression: expression, labels: labels.map { Label($0.name, $0.text) },
                recordsHistory: recordsHistory ?? false))
    }

    private mutating func alerting(_ fields: inout FieldReader, _ name: String, _ group: [LabelField]) -> Rule? {
        let expression = expression(&fields, "expr")
        let hold = duration(&fields, "for") ?? .zero
        let keepFiring = duration(&fields, "keep_firing_for") ?? .zero
        let labels = templates(
            merged(group, labels(&fields, "labels", kind: "label")), alert: name, kind: "label", &fields)
        let annotations = templates(
            self.labels(&fields, "annotations", kind: "annotation"), alert: name, kind: "annotation", &fields)
        guard let expression else { return nil }
        return .alerting(
            AlertingRule(
                name: name, expression: expression, hold: hold, keepFiring: keepFiring, labels: labels,
                annotations: annotations))
    }
}

// MARK: Fields

extension RuleFileReader {
    /// A label or annotation with its position in the file.
    struct LabelField {
        var name: String
        var text: String
        var node: YAMLNode
        var path: String
    }

    mutating func text(_ fields: inout FieldReader, _ name: String) -> String? {
        attempt { () throws(YAMLError) in try fields.optionalText(name) } ?? nil
    }

    mutating func duration(_ fields: inout FieldReader, _ name: String) -> Milliseconds? {
        guard let text = text(&fields, name) else { return nil }
        do throws(DurationFault) { return try Milliseconds(reading: text) } catch {
            refuse(fields.plainFault(error.description, at: fields.optional(name), field: name))
            return nil
        }
    }

    /// One of the values of `Choice`.
    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ fields: inout FieldReader, _ name: String
    ) -> Choice? {
        guard let text = text(&fields, name) else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        let words = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        refuse(
            fields.fault(
                "expected one of \(words), got \(MetricText.quoted(text))", at: fields.optional(name), field: name))
        return nil
    }

    mutating func expression(_ fields: inout FieldReader, _ name: String) -> Expression? {
        let node = fields.optional(name)
        guard let source = text(&fields, name), !source.isEmpty else {
            refuse(fields.fault("field '\(name)' must be set in rule", at: node, field: name))
            return nil
        }
        do throws(ParseError) {
            return try Expression.parse(source, features: options.features)
        } catch {
            refuse(fields.fault("could not parse expression: \(error)", at: node, field: name))
            return nil
        }
    }

    mutating func labels(_ fields: inout FieldReader, _ name: String, kind: String) -> [LabelField] {
        guard let node = fields.optional(name) else { return [] }
        guard let members = node.members else {
            refuse(fields.fault("expected a mapping, got \(node.kind)", at: node, field: name))
            return []
        }
        var result: [LabelField] = []
        for member in members {
            let key = member.key.text ?? ""
            let path = "\(name).\(key)"
            if key.isEmpty || (kind == "label" && key == Labels.metricName) {
                refuse(fields.fault("invalid \(kind) name: \(key)", at: member.key, field: path))
            } else if let text = member.value.isNull ? "" : member.value.text {
                result.append(LabelField(name: key, text: text, node: member.value, path: path))
            } else {
                refuse(fields.fault("expected text, got \(member.value.kind)", at: member.value, field: path))
            }
        }
        return result
    }

    /// The labels of a group and of a rule. The labels of the rule take precedence.
    func merged(_ group: [LabelField], _ rule: [LabelField]) -> [LabelField] {
        let own = Set(rule.map(\.name))
        return (group.filter { !own.contains($0.name) } + rule).sorted { ByteOrder.precedes($0.name, $1.name) }
    }

    mutating func templates(
        _ texts: [LabelField], alert: String, kind: String, _ fields: inout FieldReader
    ) -> [AlertingRule.Text] {
        var result: [AlertingRule.Text] = []
        for field in texts {
            do throws(TemplateError) {
                result.append(AlertingRule.Text(field.name, try AlertTemplate(field.text, alert: alert)))
            } catch {
                refuse(
                    fields.fault(
                        "\(kind) \(MetricText.quoted(field.name)): \(error)", at: field.node, field: field.path))
            }
        }
        return result
    }
}
