internal import CurlHTTP
internal import Runtime
internal import YAML

extension OutgoingPolicy {
    /// Reads `{allow: [10.0.0.0/8], deny: [10.1.0.0/16]}`.
    init(_ node: YAMLNode, file: String) throws(YAMLError) {
        self.init()
        var fields = try FieldReader(node, path: "outgoing", file: file)
        if fields.optional("allow") != nil { allowed = try Self.networks("allow", &fields) }
        denied = try Self.networks("deny", &fields)
        try fields.finish()
    }

    private static func networks(_ name: String, _ fields: inout FieldReader) throws(YAMLError) -> [NetworkPrefix] {
        try fields.textList(name).map { (text) throws(YAMLError) in
            guard let network = NetworkPrefix(text) else {
                throw fields.fault(
                    "not an address or network: \"\(text)\"", at: fields.optional(name), field: name)
            }
            return network
        }
    }
}
