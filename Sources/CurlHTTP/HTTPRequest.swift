internal import TLS

/// One request over HTTP or HTTPS. A value.
public struct HTTPRequest: Sendable {
    /// The method; any token.
    public var method = "GET"
    /// The complete URL, with `http` or `https`.
    public var url: String
    /// Header fields in order. `User-Agent` is added if it is missing.
    public var headers: [(name: String, value: String)] = []
    /// The body; empty for a method without one.
    public var body: [UInt8] = []
    /// Timeout of the whole request, including name resolution and redirects; 0 for no limit.
    public var timeoutMilliseconds: Int64 = 30_000
    /// Limit of the size of the body as received.
    public var maximumBodyBytes = 64 << 20
    /// The expected size of the body, for the buffer.
    public var expectedBodyBytes = 0
    /// The maximum number of redirects. With 0, a redirect is returned to the caller.
    public var maximumRedirects = 0
    /// TLS settings.
    public var tls = TLSOptions()
    /// The path of a Unix socket to connect to instead of the URL's host.
    public var unixSocket: String?
    /// The URL of a proxy. Proxy variables of the environment are ignored.
    public var proxy: String?
    /// Hosts that are contacted without the proxy, separated by commas.
    public var proxyExceptions = ""
    /// Header fields of the request that opens a tunnel through the proxy.
    public var proxyHeaders: [(name: String, value: String)] = []
    /// Whether HTTP/2 may be negotiated over TLS.
    public var allowsHTTP2 = false
    /// Whether HTTP/2 is spoken without negotiation where there is no TLS, as gRPC does. Its trailers are read as
    /// header fields.
    public var requiresHTTP2 = false
    /// Names, in lower case, of header fields that are not sent to another host after a redirect. `Authorization` and
    /// `Cookie` never are.
    public var confidentialHeaders: Set<String> = []
    /// The addresses that may be connected to; `nil` for the policy of the process.
    public var outgoing: OutgoingPolicy?
    /// The address that a former request was sent to, whose redirect this request follows.
    var redirectedFrom: String?

    /// A request for `url`.
    public init(
        method: String = "GET", url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        timeoutMilliseconds: Int64 = 30_000
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// `url` for messages: with `xxxxx` in place of a password.
    public static func shown(_ url: String) -> String {
        guard let scheme = url.firstRange(of: "://") else { return url }
        let authority = url[scheme.upperBound...].prefix { !"/?#".contains($0) }
        guard let at = authority.lastIndex(of: "@"), let colon = authority[..<at].firstIndex(of: ":") else {
            return url
        }
        return url[...colon] + "xxxxx" + url[at...]
    }

    /// Adds `Authorization: Basic …`. It is not sent to another host after a redirect.
    public mutating func authorize(user: String, password: String) {
        headers.append(("Authorization", "Basic " + Base64.text(Array("\(user):\(password)".utf8))))
    }

    /// Adds `Authorization: Bearer …`, or another `scheme`. It is not sent to another host after a redirect.
    public mutating func authorize(scheme: String = "Bearer", credentials: String) {
        headers.append(("Authorization", "\(scheme) \(credentials)"))
    }
}

/// How the peer of an HTTPS connection is verified, and the client's certificate. A value.
public struct TLSOptions: Hashable, Sendable {
    /// The source of a certificate or key, in PEM.
    public enum Source: Hashable, Sendable {
        case file(String)
        case text(String)
    }

    /// A version of TLS.
    public enum Version: String, Comparable, CaseIterable, Sendable {
        case tls10 = "TLS10"
        case tls11 = "TLS11"
        case tls12 = "TLS12"
        case tls13 = "TLS13"

        /// Whether `left` is older.
        public static func < (left: Version, right: Version) -> Bool { left.rawValue < right.rawValue }
    }

    /// Certificates that are trusted instead of the system's.
    public var authorities: Source?
    /// The client's certificate.
    public var certificate: Source?
    /// The key of `certificate`.
    public var key: Source?
    /// The name that the peer's certificate must contain, instead of the URL's host.
    public var serverName: String?
    /// Accepts any certificate.
    public var insecureSkipVerify = false
    /// The oldest TLS version that is accepted.
    public var minimumVersion = Version.tls12
    /// The newest TLS version that is offered; `nil` for the newest supported.
    public var maximumVersion: Version?

    /// The system's certificates, TLS 1.2 or newer.
    public init() {}
}
