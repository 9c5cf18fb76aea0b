/// The push services to which messages for browsers may be sent. A value.
///
/// A browser says itself where its messages go, so an address that is not of a known service would let anybody who may
/// add a browser send requests from this machine to anywhere.
public struct PushServices: Equatable, Sendable {
    /// The services of Chrome, Firefox, Safari and Edge.
    public static let known = [
        "fcm.googleapis.com", "updates.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com",
    ]
    /// The longest address, in bytes.
    public static let longestEndpoint = 2000

    /// The services beside those: `host`, `host:port`, or `*.domain` for every host below a domain.
    public let more: [String]

    /// The known services and more.
    public init(more: [String] = []) { self.more = more }

    /// Why nothing is sent to `endpoint`; `nil` for an address of a service.
    public func refusal(of endpoint: String) -> String? {
        guard endpoint.utf8.count <= Self.longestEndpoint else {
            return "the address has more than \(Self.longestEndpoint) bytes"
        }
        guard let authority = Self.authority(of: endpoint) else {
            return "the address of a push service begins with https:// and a host in lower case"
        }
        let isKnown = (Self.known + more).contains { name in
            guard name.hasPrefix("*.") else { return authority == name }
            return authority.hasSuffix(name.dropFirst()) && authority.utf8.count > name.utf8.count - 1
        }
        return isKnown ? nil : "\(authority) is not a known push service; push.services in oncall.yml can name it"
    }

    /// The origin of `endpoint`, which a token for its service names; `nil` if it is malformed.
    public static func origin(of endpoint: String) -> String? { authority(of: endpoint).map { "https://\($0)" } }

    /// The host of an address with the port unless that is 443; `nil` for anything that another reader of addresses
    /// could take for another host.
    private static func authority(of endpoint: String) -> String? {
        let scheme = "https://"
        guard endpoint.hasPrefix(scheme),
            endpoint.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "\\") }),
            !endpoint.contains("#")
        else { return nil }
        return host(endpoint.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" })
    }

    private static func host(_ text: Substring) -> String? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let name = parts.first, parts.count <= 2, !name.isEmpty, name.utf8.count <= 253,
            name.utf8.allSatisfy(isHostByte), !name.hasPrefix("."), !name.hasSuffix("."), !name.contains("..")
        else { return nil }
        guard parts.count == 2 else { return String(name) }
        guard let port = UInt16(parts[1]), port > 0, String(port) == parts[1] else { return nil }
        return port == 443 ? String(name) : String(text)
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "."):
            true
        default: false
        }
    }
}
