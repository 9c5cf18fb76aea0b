internal import TLS

/// One request over HTTP or HTTPS. A value.
public struct HTTPRequest: Sendable {
    /// The method; any token.
    public var method = "GET"
    /// The whole URL; only `http` and `https` are spoken.
    public var url: String
    /// Header fields in the order they are sent. `User-Agent` is added where it is missing.
    public var headers: [(name: String, value: String)] = []
    /// The body; for a method that has none it stays empty.
    public var body: [UInt8] = []
    /// The longest time from start to end, name resolution and redirects included; 0 for no limit.
    public var timeoutMilliseconds: Int64 = 30_000
    /// The longest body that is accepted, as it comes over the wire.
    public var maximumBodyBytes = 64 << 20
    /// How large the body is expected to be; saves regrowing the buffer.
    public var expectedBodyBytes = 0
    /// How many redirects are followed; 0 hands the redirect itself to the caller.
    public var maximumRedirects = 0
    /// How TLS peers are verified, and what is shown to them.
    public var tls = TLSOptions()
    /// The path of a Unix socket to connect to instead of the URL's host.
    public var unixSocket: String?
    /// The URL of a proxy. The proxy variables of the environment are not looked at.
    public var proxy: String?
    /// Hosts that are reached without the proxy, separated by commas.
    public var proxyExceptions = ""
    /// Header fields of the request that opens a tunnel through the proxy.
    public var proxyHeaders: [(name: String, value: String)] = []
    /// Whether HTTP/2 may be negotiated over TLS.
    public var allowsHTTP2 = false
    /// Names, in lower case, of header fields that are not sent on to another host when a redirect leads there.
    /// `Authorization` and `Cookie` never are.
    public var confidentialHeaders: Set<String> = []

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

    /// Adds `Authorization: Basic …`. It is not sent to other hosts when a redirect leads there.
    public mutating func authorize(user: String, password: String) {
        headers.append(("Authorization", "Basic " + Base64.text(Array("\(user):\(password)".utf8))))
    }

    /// Adds `Authorization: Bearer …`, or another `scheme`. It is not sent to other hosts when a redirect leads there.
    public mutating func authorize(scheme: String = "Bearer", credentials: String) {
        headers.append(("Authorization", "\(scheme) \(credentials)"))
    }
}

/// How the peer of an HTTPS connection is verified, and what is shown to it. A value.
public struct TLSOptions: Hashable, Sendable {
    /// Where a certificate or key comes from, in PEM.
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
    /// The certificate that is shown to the peer.
    public var certificate: Source?
    /// The key of `certificate`.
    public var key: Source?
    /// The name that the peer's certificate must carry, instead of the URL's host.
    public var serverName: String?
    /// Accepts any certificate.
    public var insecureSkipVerify = false
    /// The oldest version that is accepted.
    public var minimumVersion = Version.tls12
    /// The newest version that is offered; `nil` for the newest there is.
    public var maximumVersion: Version?

    /// The system's certificates, TLS 1.2 or newer.
    public init() {}
}
