internal import MetricModel
internal import RE2
internal import YAML

extension RelabelRule {
    /// Reads one rule, with the checks that Prometheus makes.
    init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        self.init()
        var fields = try FieldReader(node, path: path, file: file)
        if let word = try fields.optionalText("action") {
            guard let action = Action(rawValue: word.lowercased()) else {
                throw fields.fault("unknown relabel action \"\(word)\"", at: node["action"], field: "action")
            }
            self.action = action
        }
        sourceLabels = try fields.textList("source_labels")
        separator = try fields.optionalText("separator") ?? separator
        regex = try fields.optionalText("regex") ?? regex
        targetLabel = try fields.optionalText("target_label") ?? ""
        replacement = try fields.optionalText("replacement") ?? replacement
        if let modulus = try fields.optionalInteger("modulus") {
            guard modulus >= 0 else {
                throw fields.fault("modulus must not be negative", at: node["modulus"], field: "modulus")
            }
            self.modulus = UInt64(modulus)
        }
        try fields.finish()
        do throws(RegularExpression.PatternError) {
            _ = try RegularExpression(regex)
        } catch {
            throw fields.fault(error.description, at: node["regex"], field: "regex")
        }
        if let problem { throw fields.fault(problem) }
    }

    /// What makes the rule unusable.
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
            rules.append(try RelabelRule(node, path: fields.path(of: "\(name)[\(index)]"), file: fields.file))
        }
        return rules
    }
}
