internal import ConfigurationFields
internal import CurlHTTP
internal import History
internal import MetricModel
internal import YAML

extension SyslogDestination {
    /// The maximum number of servers: each has a thread.
    private static let most = 8

    /// Reads `history.syslog`: `[{address: 'tls://logs.example:6514', tls_config: {ca_file: ca.pem}}]`.
    static func list(_ fields: inout FieldReader, directory: String) throws(YAMLError) -> [SyslogDestination] {
        let nodes = try fields.list("syslog")
        guard nodes.count <= most else {
            throw fields.fault("more than \(most) syslog servers", at: fields.optional("syslog"), field: "syslog")
        }
        var found: [SyslogDestination] = []
        for (index, node) in nodes.enumerated() {
            let path = fields.path(of: "syslog[\(index)]")
            let destination = try SyslogDestination(node, path, file: fields.file, directory: directory)
            guard !found.contains(where: { $0.address == destination.address }) else {
                throw fields.fault(
                    "the address \(destination.address) is given twice", at: node, field: "syslog[\(index)].address")
            }
            found.append(destination)
        }
        return found
    }

    private init(_ node: YAMLNode, _ path: String, file: String, directory: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        var tls = TLSOptions()
        if let section = fields.optional("tls_config") {
            tls = try TLSOptions(section, path: "\(path).tls_config", file: file, directory: directory)
        }
        let address = try fields.text("address")
        guard let destination = SyslogDestination(address: address, tls: tls) else {
            throw fields.fault(
                "expected udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH, not \"\(address)\"",
                at: fields.optional("address"), field: "address")
        }
        self = destination
        if fields.optional("tls_config") != nil, !isEncrypted {
            throw fields.fault(
                "only tls:// has TLS settings", at: fields.optional("tls_config"), field: "tls_config")
        }
        if let name = try fields.optionalText("facility") {
            guard let known = Facility.allCases.first(where: { "\($0)" == name }) else {
                throw fields.fault(
                    "expected one of \(Facility.allCases.map { "\($0)" }.joined(separator: ", ")), not \"\(name)\"",
                    at: fields.optional("facility"), field: "facility")
            }
            facility = known
        }
        let words = try fields.textList("kinds")
        for word in words {
            guard let kind = LedgerEvent.Kind(rawValue: word) else {
                let all = LedgerEvent.Kind.allCases.map(\.rawValue).joined(separator: ", ")
                throw fields.fault(
                    "no ledger entry has the kind \"\(word)\"; the kinds are \(all)", at: fields.optional("kinds"),
                    field: "kinds")
            }
            kinds.insert(kind)
        }
        if let count = try fields.optionalInteger("max_message_bytes") {
            guard (480...1_048_576).contains(count) else {
                throw fields.fault(
                    "must be 480 to 1048576 bytes", at: fields.optional("max_message_bytes"),
                    field: "max_message_bytes")
            }
            maximumBytes = count
        }
        if let text = try fields.optionalText("timeout") {
            guard let duration = Milliseconds(parsing: text), duration >= .milliseconds(100), duration <= .minutes(5)
            else {
                throw fields.fault(
                    "must be a duration of 100ms to 5m", at: fields.optional("timeout"), field: "timeout")
            }
            timeout = duration
        }
        try fields.finish()
    }

    /// The server as a URL of HTTP, for the check of links that are not encrypted; `nil` if it is on this machine.
    var plainURL: String? {
        switch transport {
        case .udp(let host, let port), .stream(.network(let host, let port, nil)):
            "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        case .stream, .unix: nil
        }
    }
}
