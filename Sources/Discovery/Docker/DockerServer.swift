internal import ConfigurationFields
internal import CurlHTTP
internal import JSON
internal import MetricModel
internal import YAML

/// A filter of a request to the Docker daemon. A value.
public struct DockerFilter: Equatable, Sendable {
    /// The name of the filter, such as `label`.
    public var name: String
    /// The accepted values.
    public var values: [String]
}

/// The access to the API of a Docker daemon, as in `docker_sd_configs` and `dockerswarm_sd_configs`. A value.
struct DockerServer: Equatable {
    private static let largestBody = 64 << 20

    var host: String
    var http: HTTPSettings
    var timeout: Milliseconds

    /// The response to `GET path`.
    func ask(
        _ path: String, _ filters: [DockerFilter], _ session: DiscoverySession
    ) throws(DiscoveryError) -> JSON {
        var target = path
        if !filters.isEmpty {
            var members: [JSON.Member] = []
            for filter in filters {
                let values = filter.values.map { JSON.Member($0, true) }
                if let index = members.firstIndex(where: { $0.name == filter.name }) {
                    members[index].value = .object((members[index].value.members ?? []) + values)
                } else {
                    members.append(JSON.Member(filter.name, .object(values)))
                }
            }
            target += "?" + FormText.encoded([("filters", JSON.object(members).encoded)])
        }
        var request = HTTPRequest(url: target, timeoutMilliseconds: timeout.rawValue)
        if host.hasPrefix("unix://") {
            request.unixSocket = String(host.dropFirst(7))
            request.url = "http://localhost\(target)"
        } else {
            request.url = (host.hasPrefix("tcp://") ? "http://\(host.dropFirst(6))" : host) + target
            try session.prepare(&request, http)
        }
        request.headers.append(("Accept", "application/json"))
        request.maximumBodyBytes = Self.largestBody
        return try JSON.discovered(try session.body(request), "\(host)\(path)")
    }

    /// The labels of each network by its ID, each beginning with `prefix`.
    func networks(_ prefix: String, _ session: DiscoverySession) throws(DiscoveryError) -> [String: [String: String]] {
        var networks: [String: [String: String]] = [:]
        for network in try ask("/networks", [], session).elements ?? [] {
            let id = network.word("Id")
            var labels = [
                "\(prefix)network_id": id, "\(prefix)network_name": network.word("Name"),
                "\(prefix)network_scope": network.word("Scope"),
                "\(prefix)network_internal": String(network["Internal"]?.bool ?? false),
                "\(prefix)network_ingress": String(network["Ingress"]?.bool ?? false),
            ]
            network["Labels"]?.addLabels("\(prefix)network_label_", to: &labels)
            networks[id] = labels
        }
        return networks
    }
}

extension DockerServer {
    /// Reads the fields that both sections share.
    init(_ fields: inout FieldReader, directory: String) throws(YAMLError) {
        var host = try fields.optionalText("host") ?? ""
        if host.isEmpty { throw fields.fault("host missing") }
        let schemes = ["unix", "tcp", "http", "https"]
        guard schemes.contains(where: { [host] in host.hasPrefix("\($0)://") }) else {
            throw fields.fault(
                "the host must begin with one of \(schemes.map { "\($0)://" }.joined(separator: ", "))",
                at: fields.node["host"], field: "host")
        }
        while host.hasSuffix("/") { host.removeLast() }
        self.host = host
        timeout = try fields.optionalInterval("refresh_interval") ?? .seconds(60)
        http = try HTTPSettings(&fields, directory: directory)
    }
}

extension DockerFilter {
    static func list(_ fields: inout FieldReader) throws(YAMLError) -> [DockerFilter] {
        var filters: [DockerFilter] = []
        for (index, node) in try fields.list("filters").enumerated() {
            let path = fields.path(of: "filters[\(index)]")
            var section = try FieldReader(node, path: path, file: fields.file)
            let name = try section.text("name")
            filters.append(DockerFilter(name: name, values: try section.textList("values")))
            try section.finish()
        }
        return filters
    }
}
