internal import Glibc
public import Runtime
internal import Synchronization

/// The addresses to which this process may connect over HTTP and SMTP. A value.
///
/// The address is checked after the name was resolved and before the connection is opened, so that a name cannot point
/// elsewhere later. With a proxy, the address is that of the proxy.
public struct OutgoingPolicy: Equatable, Sendable {
    /// The networks to which connections may be opened; `nil` for all.
    public var allowed: [NetworkPrefix]?
    /// The networks to which none may be opened. They come before ``allowed``.
    public var denied: [NetworkPrefix] = []
    /// Whether connections must use TLS, except to this machine.
    public var requiresTLS = false

    /// Everything is allowed, except redirects to ``sensitive`` addresses.
    public init() {}

    /// Link-local addresses, and the addresses at which clouds give credentials to a machine. A redirect to them is
    /// followed only if ``allowed`` has their network.
    public static let sensitive = [
        "169.254.0.0/16", "fe80::/10", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    ].compactMap { NetworkPrefix($0) }

    /// One connection.
    struct Connection {
        /// The numeric address.
        var address: String
        var isEncrypted: Bool
        /// The address that the request was sent to first, if this is a redirect. Empty if it is not known.
        var redirectedFrom: String?
    }

    /// Why `connection` is refused; `nil` if it may be opened.
    func refusal(of connection: Connection) -> String? {
        let address = connection.address
        func has(_ networks: [NetworkPrefix]) -> Bool { networks.contains { $0.contains(address) } }
        if has(denied) { return "connections to \(address) are denied by the configuration (outgoing.deny)" }
        if let allowed, !has(allowed) {
            return "connections to \(address) are not allowed by the configuration (outgoing.allow)"
        }
        if let origin = connection.redirectedFrom {
            if allowed == nil, has(Self.sensitive) {
                return "the redirect to \(address) is refused: outgoing.allow does not have this network"
            }
            if allowed == nil, NetworkPrefix.isLoopback(address), !NetworkPrefix.isLoopback(origin) {
                return "the redirect from another machine to \(address) is refused: outgoing.allow does not have it"
            }
        }
        if requiresTLS, !connection.isEncrypted, !NetworkPrefix.isLoopback(address) {
            return "the connection to \(address) is not encrypted (--require-tls)"
        }
        return nil
    }

    /// Whether `url` has the scheme http and its host is not this machine, as far as the text tells.
    public static func isPlain(_ url: String) -> Bool {
        guard let location = Location(url), location.scheme == "http" else { return false }
        let host = location.host.filter { $0 != "[" && $0 != "]" }
        return host.lowercased() != "localhost" && !NetworkPrefix.isLoopback(host)
    }

    /// The policy of this process. A change applies to new connections.
    public static var ofProcess: OutgoingPolicy {
        get { shared.withLock { $0 } }
        set { shared.withLock { $0 = newValue } }
    }

    private static let shared = Mutex(OutgoingPolicy())
}
