internal import CurlHTTP
internal import JSON
internal import MetricModel
internal import Rollback
internal import Runtime

/// The admin endpoint of one Envoy. Every call ends by the deadline.
struct EnvoyAdmin {
    let url: String
    let client: HTTPClient
    /// In nanoseconds of the monotonic clock.
    let deadline: Int64

    /// A route configuration in use by Envoy.
    struct Configuration: Equatable {
        var version: String?
        var routes: JSON
    }

    /// Route configurations from discovery.
    func discovered() throws(RouterError) -> [Configuration] {
        try configurations("dynamic_route_configs")
    }

    /// All route configurations, including those in listeners.
    func configurations() throws(RouterError) -> [Configuration] {
        try discovered() + configurations("static_route_configs")
    }

    private func configurations(_ resource: String) throws(RouterError) -> [Configuration] {
        let dump = try get("/config_dump?resource=\(resource)")
        return (dump["configs"]?.elements ?? []).compactMap { entry in
            entry["route_config"].map { Configuration(version: entry["version_info"]?.text, routes: $0) }
        }
    }

    /// The process, by its uptime.
    func process() throws(RouterError) -> RouterProcess? {
        guard let text = try get("/server_info")["uptime_current_epoch"]?.text, text.hasSuffix("s"),
            let uptime = Int64(text.dropLast())
        else { return nil }
        return RouterProcess(uptime: uptime, at: SystemClock.monotonicNanoseconds() / 1_000_000_000)
    }

    /// Runtime keys with their effective values.
    func runtime() throws(RouterError) -> [String: String] {
        let entries = try get("/runtime?format=json")["entries"]?.members ?? []
        return Dictionary(entries.map { ($0.name, $0.value["final_value"]?.text ?? "") }) { $1 }
    }

    /// Sets several runtime keys at once.
    func setRuntime(_ values: [(key: String, value: Int)]) throws(RouterError) {
        let query = values.map { "\($0.key)=\($0.value)" }.joined(separator: "&")
        let answer = try send("POST", "/runtime_modify?\(query)")
        guard String(decoding: answer, as: UTF8.self).hasPrefix("OK") else {
            throw RouterError("POST \(url)/runtime_modify: \(String(decoding: answer.prefix(200), as: UTF8.self))")
        }
    }

    /// How often Envoy accepted the route configuration `name` from discovery, and how often it rejected it.
    func updates(of name: String) throws(RouterError) -> (taken: Double, refused: Double) {
        let counters = try statistics("\\.rds\\.\(Self.literal(name))\\.update_(success|rejected|failure)$")
        func sum(_ isWanted: (String) -> Bool) -> Double { counters.filter { isWanted($0.key) }.values.reduce(0, +) }
        return (sum { $0.hasSuffix("success") }, sum { !$0.hasSuffix("success") })
    }

    /// Requests to `cluster` since Envoy was started; `nil` if there is no counter under the cluster's name.
    func requests(of cluster: String) throws(RouterError) -> UInt64? {
        let name = "cluster.\(cluster).upstream_rq_total"
        return try statistics("^\(Self.literal(name))$")[name].flatMap(UInt64.init(exactly:))
    }

    /// Whether `cluster` can take traffic: at least half of its hosts must have passed their active health checks.
    func health(of cluster: String) throws(RouterError) -> TargetHealth {
        let all = try get("/clusters?format=json")["cluster_statuses"]?.elements ?? []
        guard let found = all.first(where: { $0["name"]?.text == cluster }) else {
            return .unhealthy("Envoy has no cluster \(cluster)")
        }
        let hosts = (found["host_statuses"]?.elements ?? []).map { Self.health($0["health_status"]) }
        guard !hosts.isEmpty else { return .unhealthy("the cluster \(cluster) has no hosts") }
        let healthy = hosts.filter { $0 == .healthy }.count
        if healthy * 2 < hosts.count { return hosts.first { $0 != .healthy } ?? .unknown("no host") }
        // A host without health checks is also shown as healthy.
        let checked = try statistics("^\(Self.literal("cluster.\(cluster).health_check.attempt"))$")
        return checked.isEmpty ? .unknown("the cluster \(cluster) has no health checks") : .healthy
    }

    private static func health(_ status: JSON?) -> TargetHealth {
        switch status?["eds_health_status"]?.text ?? "UNKNOWN" {
        case "HEALTHY", "DEGRADED", "UNKNOWN": break
        case let state: return .unhealthy("discovery says \(state)")
        }
        let flags = (status?.members ?? []).filter { $0.value == true }.map(\.name)
        if flags.contains("pending_active_hc") { return .unknown("not checked yet") }
        let bad = flags.first { $0 != "failed_active_degraded_check" }
        return bad.map { .unhealthy($0.split(separator: "_").joined(separator: " ")) } ?? .healthy
    }

    /// Counters and gauges whose names match `pattern`.
    private func statistics(_ pattern: String) throws(RouterError) -> [String: Double] {
        let answer = try get("/stats?format=json&filter=\(Self.escaped(pattern))")
        var values: [String: Double] = [:]
        for entry in answer["stats"]?.elements ?? [] {
            guard let name = entry["name"]?.text, let value = entry["value"]?.number else { continue }
            values[name] = value
        }
        return values
    }

    private func get(_ path: String) throws(RouterError) -> JSON {
        let body = try send("GET", path)
        do throws(JSONError) { return try JSON(parsing: body) } catch {
            throw RouterError("GET \(url)\(path) answered \(error)")
        }
    }

    private func send(_ method: String, _ path: String) throws(RouterError) -> [UInt8] {
        let left = (deadline - SystemClock.monotonicNanoseconds()) / 1_000_000
        guard left > 0 else { throw RouterError("\(method) \(url)\(path): no response in time") }
        var request = HTTPRequest(method: method, url: url + path, timeoutMilliseconds: left)
        request.maximumBodyBytes = 16 << 20
        let answer: HTTPResponse
        do throws(HTTPFailure) { answer = try client.send(request) } catch {
            throw RouterError("\(method) \(url)\(path): \(error.message)")
        }
        guard answer.status == 200 else {
            let words = String(decoding: answer.body.prefix(200), as: UTF8.self)
            throw RouterError("\(method) \(url)\(path) answered \(answer.status): \(words)")
        }
        return answer.body
    }

    /// A regular expression that matches only `text`. Names contain only letters, digits, `-`, `_` and `.`.
    private static func literal(_ text: String) -> String {
        text.split(separator: ".", omittingEmptySubsequences: false).joined(separator: "\\.")
    }

    /// `text`, escaped for a query.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f:
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
