public import ConfigurationFields
internal import Runtime
internal import YAML

/// How browsers are notified: the section `push` of an `oncall.yml`. A value.
public struct PushSettings: Equatable, Sendable {
    /// Whom a push service can write to about this server: an address with `mailto:` or `https:`.
    public var contact: String
    /// The file with the key that browsers subscribe with; `nil` for a key that the process makes.
    public var keyFile: String?
    /// Push services beside those of the known browsers.
    public var services: [String]
    /// Proxy and TLS of requests to push services.
    public var http: HTTPSettings

    init(_ node: YAMLNode, file: String) throws(YAMLError) {
        let directory = Paths.directory(of: file)
        var fields = try FieldReader(node, path: "push", file: file)
        let contact = try fields.text("contact")
        self.contact = contact
        let isAddress = ["mailto:", "https://"].contains { contact.hasPrefix($0) && contact.utf8.count > $0.utf8.count }
        guard isAddress, contact.utf8.count <= 500, contact.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw fields.fault(
                "expected an address such as mailto:oncall@example.org, got \"\(contact)\"",
                at: fields.optional("contact"), field: "contact")
        }
        keyFile = try fields.optionalText("key_file").map { Paths.resolve($0, from: directory) }
        services = try fields.textList("services")
        for (index, name) in services.enumerated() where !Self.isService(name) {
            throw fields.fault(
                "expected a host such as push.example.org, push.example.org:8443 or *.example.org, got \"\(name)\"",
                at: fields.optional("services")?.elements?[index], field: "services[\(index)]")
        }
        http = try HTTPSettings.section("http_config", of: &fields, directory: directory) ?? HTTPSettings()
        try fields.finish()
    }

    /// Whether a text names hosts of a push service.
    private static func isService(_ name: String) -> Bool {
        let parts = (name.hasPrefix("*.") ? name.dropFirst(2) : name[...])
            .split(separator: ":", omittingEmptySubsequences: false)
        guard let host = parts.first, parts.count <= 2, !host.isEmpty, host.utf8.count <= 253 else { return false }
        let isHost = host.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
                || byte == UInt8(ascii: ".")
        }
        return isHost && (parts.count == 1 || UInt16(parts[1]).map { $0 > 0 && $0 != 443 } == true)
    }
}
