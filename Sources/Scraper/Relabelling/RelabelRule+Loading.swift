internal import MetricModel
internal import RE2
internal import YAML

extension RelabelRule {
    /// Reads one rule, with the checks that Prometheus makes.
    init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        self.init()
        var fields = try FieldReader(node, path: path, file: file)
        if let word = try fields.optionalText("action") {
            action = Action(rawValue: word.lowercased()) ?? action
            if Action(rawValue: word.lowercased()) == nil {
                fields.note("unknown relabel action \"\(word)\"", at: node["action"], field: "action")
            }
        }
        sourceLabels = try fields.textList("source_labels")
        for (index, name) in sourceLabels.enumerated() where name.isEmpty {
            let (place, field) = (node["source_labels"]?.elements?[index], "source_labels[\(index)]")
            fields.note("\"\" is not a valid label name", at: place, field: field)
        }
        separator = try fields.optionalText("separator") ?? separator
        regex = try fields.optionalText("regex") ?? regex
        targetLabel = try fields.optionalText("target_label") ?? ""
        replacement = try fields.optionalText("replacement") ?? replacement
        if let modulus = try fields.optionalInteger("modulus") {
            if modulus < 0 { fields.note("modulus must not be negative", at: node["modulus"], field: "modulus") }
            self.modulus = UInt64(clamping: modulus)
        }
        do throws(RegularExpression.PatternError) {
            _ = try RegularExpression(regex)
        } catch {
            fields.note(error.description, at: node["regex"], field: "regex")
        }
        try fields.finish()
        if let problem { throw fields.fault(problem) }
    }

    /// The error of the rule; `nil` if it is valid.
    private var problem: String? {
        let name = action.rawValue
        switch action {
        case .replace, .lowercase, .uppercase, .hashmod, .keepequal, .dropequal:
            if targetLabel.isEmpty {
                return "relabel configuration for \(name) action requires 'target_label' value"
            }
        case .keep, .drop, .labelmap, .labeldrop, .labelkeep: break
        }
        let defaults = RelabelRule()
        switch action {
        case .hashmod where modulus == 0: return "relabel configuration for hashmod requires non-zero modulus"
        case .lowercase, .uppercase:
            return replacement == defaults.replacement ? nil : "'replacement' can not be set for \(name) action"
        case .labeldrop, .labelkeep:
            let isPlain =
                sourceLabels.isEmpty && targetLabel.isEmpty && modulus == 0 && separator == defaults.separator
                && replacement == defaults.replacement
            return isPlain ? nil : "\(name) action requires only 'regex', and no other fields"
        case .keepequal, .dropequal:
            let isPlain =
                regex == defaults.regex && modulus == 0 && separator == defaults.separator
                && replacement == defaults.replacement
            return isPlain
                ? nil : "\(name) action requires only 'source_labels' and 'target_label', and no other fields"
        case .replace, .keep, .drop, .hashmod, .labelmap: return nil
        }
    }

    /// Reads a list of rules.
    static func list(_ fields: inout FieldReader, _ name: String) throws(YAMLError) -> [RelabelRule] {
        var rules: [RelabelRule] = []
        for (index, node) in try fields.list(name).enumerated() {
            let path = fields.path(of: "\(name)[\(index)]")
            let rule = fields.collect { (fields) throws(YAMLError) in
                try RelabelRule(node, path: path, file: fields.file)
            }
            if let rule { rules.append(rule) }
        }
        return rules
    }
}
