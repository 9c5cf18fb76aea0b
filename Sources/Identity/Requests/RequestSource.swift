internal import Runtime
internal import WebServer

/// The source of a request, with proxies taken into account. A value.
struct RequestSource: Equatable {
    /// The client's numeric address; empty for a Unix socket.
    var address: String
    /// Whether it comes from this machine without a proxy in between.
    var isThisMachine: Bool

    /// Headers added by proxies: a request with one of them was not sent directly by a program on this machine.
    private static let proxyHeaders = [
        "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via",
    ]

    /// The source of `request`. A proxy's information about its client is used only if the proxy is one of `proxies`.
    init(_ request: HTTPServerRequest, proxies: [NetworkPrefix]) {
        let peer = request.peer
        let isForwarded = Self.proxyHeaders.contains { request[header: $0] != nil }
        let isLocal = request.client.credentials != nil || NetworkPrefix.isLoopback(peer)
        isThisMachine = isLocal && !isForwarded
        address = peer
        guard isForwarded, !proxies.isEmpty, !peer.isEmpty else { return }
        // From the last proxy to the client: the first address that is not a trusted proxy is the client's. Addresses
        // before it were written by the client itself.
        var chain = Self.chain(request)[...]
        while proxies.contains(where: { $0.contains(address) }), let previous = chain.popLast() {
            guard let known = NetworkPrefix(previous), !known.description.contains("/") else { break }
            address = previous
        }
    }

    /// The addresses reported by proxies, the client's first.
    private static func chain(_ request: HTTPServerRequest) -> [String] {
        func values(_ name: String) -> [String] {
            request.headers.filter { $0.name.lowercased() == name }.flatMap { header in
                header.value.split(separator: ",").map { $0.filter { $0 != " " && $0 != "\t" } }
            }
        }
        let simple = values("x-forwarded-for").map(withoutPort)
        let standard = values("forwarded").flatMap { $0.split(separator: ";") }
            .filter { $0.lowercased().hasPrefix("for=") }.map { withoutPort($0.dropFirst(4).filter { $0 != "\"" }) }
        if simple.isEmpty || standard.isEmpty { return simple + standard }
        // A proxy that writes one of the headers may pass the other one on as the client wrote it.
        return simple.last == standard.last ? Array(simple.suffix(1)) : []
    }

    /// `[::1]:4711`, `10.0.0.1:4711`, `::1` and `10.0.0.1` without brackets and port.
    private static func withoutPort(_ text: String) -> String {
        if text.hasPrefix("[") { return String(text.dropFirst().prefix { $0 != "]" }) }
        let colons = text.utf8.count { $0 == UInt8(ascii: ":") }
        return colons == 1 ? String(text.prefix { $0 != ":" }) : text
    }
}
