internal import ConfigurationFields
internal import CurlHTTP
internal import MetricModel
public import YAML

extension QueryServerSettings {
    /// The name of the server in the section `query`.
    public static let defaultName = "default"
    private static let limit = 16

    /// Reads the sections `query` and `query_servers`: the server of rules that name none, which is the first if there
    /// is one, and those with a name.
    ///
    /// - Parameters:
    ///   - reserved: what no server may be called.
    ///   - directory: the base of relative paths.
    public static func list(
        _ fields: inout FieldReader, reserved: String, directory: String
    ) throws(YAMLError) -> [QueryServerSettings] {
        var servers: [QueryServerSettings] = []
        if let node = fields.optional("query") {
            servers.append(
                try QueryServerSettings(
                    node, path: fields.path(of: "query"), file: fields.file, name: defaultName, directory: directory))
        }
        for (index, node) in try fields.list("query_servers").enumerated() {
            let path = fields.path(of: "query_servers[\(index)]")
            let server = try QueryServerSettings(node, path: path, file: fields.file, name: nil, directory: directory)
            guard server.name != reserved, !servers.contains(where: { $0.name == server.name }) else {
                throw YAMLError(
                    file: fields.file, line: node.line, column: node.column, field: "\(path).name",
                    message: server.name == reserved
                        ? "\"\(reserved)\" stands for the own store" : "\"\(server.name)\" appears twice")
            }
            servers.append(server)
        }
        guard servers.count <= limit else {
            throw fields.fault("at most \(limit) query servers", at: fields.optional("query_servers"))
        }
        return servers
    }

    private init(
        _ node: YAMLNode, path: String, file: String, name: String?, directory: String
    ) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        let given = if let name { name } else { try fields.text("name") }
        guard !given.isEmpty, given.utf8.count <= 100 else {
            throw fields.fault("a name has 1 to 100 bytes", at: fields.optional("name"), field: "name")
        }
        self.init(name: given, url: try Self.url(&fields))
        http = try HTTPSettings(&fields, directory: directory)
        if let word = try fields.optionalText("http_method") {
            guard let method = Method(rawValue: word) else {
                throw fields.fault(
                    "expected one of POST, GET, got \"\(word)\"", at: fields.optional("http_method"),
                    field: "http_method")
            }
            self.method = method
        }
        parameters = try fields.textMapping("params").map { Parameter(name: $0.name, value: $0.value) }
        if let taken = parameters.first(where: { ["query", "time"].contains($0.name) }) {
            throw fields.fault(
                "\(taken.name) is set for each query", at: fields.optional("params"), field: "params.\(taken.name)")
        }
        timeout = try Self.duration("timeout", &fields, in: .milliseconds(100)...(.minutes(5))) ?? timeout
        queryOffset = try Self.duration("query_offset", &fields, in: .zero...(.hours(24)))
        if let count = try fields.optionalInteger("concurrency") {
            guard (1...64).contains(count) else {
                throw fields.fault("must be from 1 to 64", at: fields.optional("concurrency"), field: "concurrency")
            }
            concurrency = count
        }
        if let size = try fields.optionalSize("body_size_limit") {
            guard (1 << 10...1 << 30).contains(size) else {
                throw fields.fault(
                    "must be from 1KB to 1GB", at: fields.optional("body_size_limit"), field: "body_size_limit")
            }
            maximumBytes = size
        }
        try fields.finish()
    }

    private static func url(_ fields: inout FieldReader) throws(YAMLError) -> String {
        let url = try fields.text("url")
        let isWritten = url.hasPrefix("http://") || url.hasPrefix("https://")
        guard isWritten, !url.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f || $0 == UInt8(ascii: "#") }),
            let start = url.firstRange(of: "://")?.upperBound,
            !url[start...].prefix(while: { !"/?".contains($0) }).isEmpty
        else { throw fields.fault("expected a URL of http or https", at: fields.optional("url"), field: "url") }
        guard !url[start...].prefix(while: { !"/?".contains($0) }).contains("@") else {
            throw fields.fault(
                "must contain no user and no password: set basic_auth", at: fields.optional("url"), field: "url")
        }
        return url
    }

    private static func duration(
        _ name: String, _ fields: inout FieldReader, in range: ClosedRange<Milliseconds>
    ) throws(YAMLError) -> Milliseconds? {
        guard let text = try fields.optionalText(name) else { return nil }
        guard let duration = Milliseconds(parsing: text), range.contains(duration) else {
            throw fields.fault(
                "must be a duration of \(range.lowerBound) to \(range.upperBound)", at: fields.optional(name),
                field: name)
        }
        return duration
    }
}
