internal import YAML

extension RolloutPlan.Gate {
    /// The fields of a gate in a plan.
    static let fields = ["name", "expr", "healthy", "http", "rule", "approval", "approvals", "from", "query"]

    init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        let name = try fields.optionalText("name")
        var kinds: [(label: String, kind: Kind)] = []
        if let expression = try fields.optionalText("expr") {
            kinds.append((expression, .expression(expression, healthy: try fields.condition("healthy"))))
        }
        if let url = try fields.url("http") { kinds.append((url, .http(url))) }
        if let rule = try fields.optionalText("rule") { kinds.append((rule, .rule(rule))) }
        if let text = try fields.optionalText("approval") {
            kinds.append((text, .approval(try Self.approval(&fields))))
        }
        guard let only = kinds.first, kinds.count == 1 else {
            throw fields.fault("a gate has exactly one of expr, http, rule and approval")
        }
        self.init(name: name ?? only.label, kind: only.kind)
        query = try fields.optionalText("query")
        guard query == nil || fields.optional("expr") != nil else {
            throw fields.fault("only an expr asks a query server", at: fields.optional("query"), field: "query")
        }
        try fields.finish()
    }

    private static func approval(_ fields: inout FieldReader) throws(YAMLError) -> RolloutPlan.Gate.Approval {
        var approval = RolloutPlan.Gate.Approval()
        approval.from = try fields.textList("from")
        approval.count = try fields.count("approvals", in: 1...20) ?? 1
        guard Set(approval.from).count == approval.from.count else {
            throw fields.fault("an identity is named twice", at: fields.optional("from"), field: "from")
        }
        guard approval.from.isEmpty || approval.from.count >= approval.count else {
            throw fields.fault(
                "\(approval.count) approvals are demanded, but only \(approval.from.count) identities may approve",
                at: fields.optional("approvals"), field: "approvals")
        }
        return approval
    }
}
