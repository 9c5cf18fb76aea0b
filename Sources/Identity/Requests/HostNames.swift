internal import Runtime

/// The names of a server. A value.
///
/// A page of another site can resolve its own name to this machine (DNS rebinding); the browser then treats the page
/// and this server as one site. The header `Host` has this name. Names that an attacker cannot own are harmless:
/// numeric addresses, names without a dot, and domains that are not in the public DNS.
public struct HostNames: Equatable, Sendable {
    /// Names in lower case, without port; `*.` at the beginning matches any subdomain, `*` everything.
    private var allowed: Set<String>

    /// Domains that cannot be registered.
    private static let privateDomains = [
        ".localhost", ".local", ".internal", ".svc", ".test", ".lan", ".home", ".corp", ".arpa", ".cluster.local",
    ]

    /// The names of private networks and `names`.
    public init(_ names: [String] = []) {
        allowed = Set(names.map { Self.name(of: $0.lowercased()) }.filter { !$0.isEmpty })
    }

    /// Adds a name.
    public mutating func insert(_ name: String) {
        let name = Self.name(of: name.lowercased())
        if !name.isEmpty { allowed.insert(name) }
    }

    /// Whether a request with this header `Host` is accepted.
    public func contains(host: String) -> Bool {
        if allowed.contains("*") { return true }
        if host.hasPrefix("[") { return true }
        var name = Self.name(of: host.lowercased())
        if name.hasSuffix(".") { name.removeLast() }
        let isPlain = !name.utf8.contains(UInt8(ascii: "."))
        if isPlain || NetworkPrefix(name) != nil || allowed.contains(name) { return true }
        if Self.privateDomains.contains(where: name.hasSuffix) { return true }
        return allowed.contains { $0.hasPrefix("*.") && name.hasSuffix($0.dropFirst()) }
    }

    /// `host:port` without the port.
    static func name(of host: String) -> String {
        if host.hasPrefix("[") { return String(host.prefix { $0 != "]" }) + "]" }
        let colons = host.utf8.count { $0 == UInt8(ascii: ":") }
        return colons == 1 ? String(host.prefix { $0 != ":" }) : host
    }
}
