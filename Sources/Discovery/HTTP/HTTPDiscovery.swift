public import ConfigurationFields
internal import CurlHTTP
public import MetricModel
internal import YAML

/// `http_sd_configs`: a URL that returns targets, in the format of JSON discovery files. A value.
public struct HTTPDiscovery: Equatable, Sendable {
    /// The URL to query.
    public var url: String
    /// The interval of queries.
    public var refreshInterval = Milliseconds.seconds(60)
    /// The settings of the HTTP client.
    public var http = HTTPSettings()

    /// Targets from `url`.
    public init(url: String) {
        self.url = url
    }
}

extension HTTPDiscovery {
    init(_ fields: inout FieldReader, directory: String) throws(YAMLError) {
        self.init(url: try fields.optionalText("url") ?? "")
        if url.isEmpty { throw fields.fault("URL is missing", field: "url") }
        guard let scheme = url.firstRange(of: "://").map({ url[..<$0.lowerBound] }), ["http", "https"].contains(scheme)
        else { throw fields.fault("URL scheme must be 'http' or 'https'", at: fields.node["url"], field: "url") }
        guard let host = url.dropFirst(scheme.count + 3).first, host != "/" else {
            throw fields.fault("host is missing in URL", at: fields.node["url"], field: "url")
        }
        refreshInterval = try fields.optionalInterval("refresh_interval") ?? refreshInterval
        http = try HTTPSettings(&fields, directory: directory)
    }
}

extension HTTPDiscovery: RefreshingDiscoverer {
    private static let largestBody = 64 << 20

    func refresh(_ session: DiscoverySession) throws(DiscoveryError) -> [TargetGroup] {
        var request = HTTPRequest(url: url)
        request.headers = [
            ("Accept", "application/json"),
            ("X-Prometheus-Refresh-Interval-Seconds", DecimalText.seconds(refreshInterval)),
        ]
        request.maximumBodyBytes = Self.largestBody
        request.timeoutMilliseconds = refreshInterval.rawValue
        try session.prepare(&request, http)
        let response = try session.body(request)
        let type = response["Content-Type"] ?? ""
        guard Self.isJSON(type) else {
            throw DiscoveryError("\(HTTPRequest.shown(url)): unsupported content type \"\(type)\"")
        }
        var groups: [TargetGroup]
        do throws(DiscoveryError) {
            groups = try TargetGroup.list(json: response.body) { "\(url):\($0)" }
        } catch {
            throw DiscoveryError("\(HTTPRequest.shown(url)): \(error)")
        }
        for index in groups.indices { groups[index].labels.set("__meta_url", to: url) }
        return groups
    }

    /// `application/json`, possibly with the charset UTF-8.
    private static func isJSON(_ type: String) -> Bool {
        let parts = type.lowercased().split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.first == "application/json" else { return false }
        guard parts.count == 2 else { return true }
        let parameter = parts[1].drop { $0 == " " || $0 == "\t" }
        return parameter == "charset=utf-8" || parameter == "charset=\"utf-8\""
    }
}

/// Numbers as they are written in headers.
enum DecimalText {
    /// A duration in seconds, without a fraction if it is a whole number.
    static func seconds(_ duration: Milliseconds) -> String {
        let (whole, rest) = duration.rawValue.quotientAndRemainder(dividingBy: 1000)
        return rest == 0 ? String(whole) : String(Double(duration.rawValue) / 1000)
    }
}
