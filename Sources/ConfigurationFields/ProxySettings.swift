internal import CurlHTTP
internal import Glibc

/// The proxy for connections to a server. A value.
public struct ProxySettings: Hashable, Sendable {
    /// The source of the proxy.
    public enum Source: Hashable, Sendable {
        case none
        case url(String)
        /// The variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, in upper or lower case.
        case environment
    }

    /// The source of the proxy.
    public var source = Source.none
    /// Hosts that are contacted without the proxy, separated by commas.
    public var exceptions = ""
    /// Header fields of the request that opens a tunnel through the proxy.
    public var connectHeaders: [HTTPSettings.Header] = []

    /// No proxy.
    public init() {}

    /// Sets the proxy of `request`.
    func apply(to request: inout HTTPRequest) {
        switch source {
        case .none: break
        case .url(let url):
            request.proxy = url
            request.proxyExceptions = exceptions
        case .environment:
            let isSecure = request.url.lowercased().hasPrefix("https:")
            request.proxy = Self.variable(isSecure ? "HTTPS_PROXY" : "HTTP_PROXY")
            request.proxyExceptions = Self.variable("NO_PROXY") ?? ""
        }
    }

    private static func variable(_ name: String) -> String? {
        for name in [name, name.lowercased()] {
            if let value = unsafe getenv(name) {
                let text = unsafe String(cString: value)
                if !text.isEmpty { return text }
            }
        }
        return nil
    }
}
