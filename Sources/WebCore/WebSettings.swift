/// The address of the server and the origins that may read its responses.
public struct WebSettings: Sendable {
    /// The URL of this server for users; used in links.
    public var externalURL: ExternalURL
    /// Prepended to every path; empty or `/prefix`.
    public var routePrefix: String
    /// The other origins that may read the API; `nil` for all.
    public var allowsOrigin: (@Sendable (String) -> Bool)?

    /// Settings of a server with the URL `externalURL`. Paths begin with `routePrefix`, which is the path of the
    /// external URL unless a proxy removes it.
    public init(externalURL: ExternalURL = ExternalURL(), routePrefix: String? = nil) {
        self.externalURL = externalURL
        self.routePrefix = ExternalURL.prefix(routePrefix ?? externalURL.path)
    }
}

/// The URL of the server for users, without a trailing slash. A value.
public struct ExternalURL: Sendable, Equatable {
    /// `http://host:9190/path`.
    public let text: String
    /// The path of the URL: empty, or `/path`.
    public let path: String
    /// Scheme and authority: `http://host:9190`.
    public var origin: String { String(text.dropLast(path.utf8.count)) }
    /// Host and port: `host:9190`.
    public var host: String { String(origin.drop { $0 != "/" }.dropFirst(2)) }

    /// `http://localhost:9090`, Prometheus's default.
    public init() {
        text = "http://localhost:9090"
        path = ""
    }

    /// Reads `text`; `nil` if it is not an `http` or `https` URL with a host, or has a query or fragment.
    public init?(_ text: String) {
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else { return nil }
        let rest = text.dropFirst(scheme.count)
        let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !"?#\"'<>\\".utf8.contains($0) }
        let host = rest.prefix { $0 != "/" }
        guard isPlain, !host.isEmpty else { return nil }
        path = Self.prefix(String(rest.dropFirst(host.count)))
        self.text = scheme + host + path
    }

    /// `path` with one slash at its beginning and none at its end; empty for the root.
    static func prefix(_ path: String) -> String {
        let slash = UInt8(ascii: "/")
        let front = path.utf8.drop { $0 == slash }
        let bytes = Array(front.reversed().drop { $0 == slash }.reversed())
        return bytes.isEmpty ? "" : "/" + String(decoding: bytes, as: UTF8.self)
    }
}
