internal import JSON

/// Members that a delivery pipeline adds to a request: which deployment it belongs to, and whatever else the pipeline
/// wants in the record. They are kept as received. A value.
struct PipelineContext: Equatable {
    /// The members, in the order of ``names``.
    private(set) var members: [JSON.Member] = []

    /// The members that every request may have besides its own.
    static let names = [
        "deployment_context", "deployment_id", "environment", "services", "auto_improve", "baseline_metrics",
        "post_deployment_metrics", "improvement_request",
    ]

    /// No context.
    init() {}

    /// Reads the members of a request. Only their types are checked.
    init(_ fields: inout JSONFields) throws(JSONFieldError) {
        for name in Self.names {
            guard let value = fields.optional(name) else { continue }
            switch name {
            case "deployment_context":
                guard value.members != nil else { throw fields.fault(name, "expected an object") }
            case "environment": _ = try fields.optionalText(name, limit: 200)
            case "auto_improve": _ = try fields.optionalFlag(name)
            case "services":
                for (index, element) in try fields.list(name, limit: 100).enumerated() where element.text == nil {
                    throw fields.fault("\(name)[\(index)]", "expected text")
                }
            // A pipeline's run has a number as often as a name.
            case "deployment_id":
                guard value.text != nil || value.integer != nil else { throw fields.fault(name, "expected text") }
            default: break
            }
            members.append(.init(name, Self.content(value)))
        }
    }

    /// The value of a member.
    subscript(name: String) -> JSON? { members.first { $0.name == name }?.value }

    /// Whether the pipeline wants improvements to be requested without asking again.
    var wantsImprovement: Bool { self["auto_improve"]?.bool ?? false }

    /// The names in `services`.
    var services: [String] { (self["services"]?.elements ?? []).compactMap(\.text) }

    /// The members for a record. The response has an `auto_improve` of its own.
    var kept: [JSON.Member] {
        members.map { $0.name == "auto_improve" ? .init("auto_improve_requested", $0.value) : $0 }
    }

    /// An earlier response of a gate contains its data twice: in `data` and beside it. Once is enough.
    private static func content(_ value: JSON) -> JSON {
        if value["status"] == "success", let data = value["data"], data.members != nil { data } else { value }
    }
}
