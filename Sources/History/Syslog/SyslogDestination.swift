public import CurlHTTP
public import MetricModel
internal import Runtime

/// A syslog server that receives the entries of the ledger. A value.
public struct SyslogDestination: Equatable, Sendable {
    /// How messages are transported.
    public enum Transport: Hashable, Sendable {
        /// RFC 5426.
        case udp(host: String, port: Int)
        /// RFC 6587 with octet counting; with TLS, RFC 5425.
        case stream(StreamConnection.Address)
        /// A Unix socket, for datagrams or a stream.
        case unix(path: String)
    }

    /// A facility of RFC 5424; the raw values are its numbers.
    public enum Facility: Int, CaseIterable, Sendable {
        case user = 1
        case daemon = 3
        case auth = 4
        case authpriv = 10
        case audit = 13
        case local0 = 16
        case local1, local2, local3, local4, local5, local6, local7
    }

    /// The address as it is written, such as `tls://logs.example:6514`; also the name in log lines and metrics.
    public var address: String
    /// How messages are transported.
    public var transport: Transport
    /// The facility of all messages.
    public var facility = Facility.audit
    /// Only these kinds of entries; empty for all.
    public var kinds: Set<LedgerEvent.Kind> = []
    /// The maximum size of a message. A longer one has no text, only structured data.
    public var maximumBytes = 8192
    /// How long connecting and sending may take.
    public var timeout = Milliseconds.seconds(10)

    /// - Parameters:
    ///   - address: `udp://HOST:PORT`, `tcp://HOST:PORT`, `tls://HOST:PORT` or `unix:///PATH`. The port may be missing:
    ///     514 for UDP, 6514 for TLS, 601 for TCP.
    ///   - tls: used with `tls://`.
    /// - Returns: `nil` for anything else.
    public init?(address: String, tls: TLSOptions = TLSOptions()) {
        self.address = address
        if address.hasPrefix("unix://") {
            let path = String(address.dropFirst(7))
            guard path.hasPrefix("/"), path.utf8.count <= 107 else { return nil }
            transport = .unix(path: path)
            return
        }
        let ports = ["udp://": 514, "tcp://": 601, "tls://": 6514]
        guard let (scheme, standard) = ports.first(where: { address.hasPrefix($0.key) }),
            let (host, port) = Self.endpoint(address.dropFirst(scheme.count), standard)
        else { return nil }
        transport =
            scheme == "udp://"
            ? .udp(host: host, port: port)
            : .stream(.network(host: host, port: port, tls: scheme == "tls://" ? tls : nil))
    }

    /// Whether the address has the scheme `tls`.
    public var isEncrypted: Bool { address.hasPrefix("tls://") }

    private static func endpoint(_ text: Substring, _ standard: Int) -> (host: String, port: Int)? {
        var (host, rest) = (text, text.dropFirst(text.count))
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            rest = text[text.index(after: end)...]
        } else if let colon = text.firstIndex(of: ":") {
            (host, rest) = (text[..<colon], text[colon...])
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x2f }) else { return nil }
        if rest.isEmpty { return (String(host), standard) }
        guard rest.first == ":", let port = Int(rest.dropFirst()), (1...65_535).contains(port) else { return nil }
        return (String(host), port)
    }
}
