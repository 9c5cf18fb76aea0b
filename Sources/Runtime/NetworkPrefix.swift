internal import Glibc

/// Addresses with a common prefix: `10.0.0.0/8`, `fd00::/8`, or one address. A value.
public struct NetworkPrefix: Hashable, Sendable, CustomStringConvertible {
    /// 16 bytes; an IPv4 address is mapped to IPv6.
    private let bytes: [UInt8]
    /// The length of the prefix in bits.
    private let length: Int
    /// As it was written.
    public let description: String

    /// Reads an address, or an address with a slash and a number of bits.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let bytes = Self.bytes(of: String(parts[0])) else { return nil }
        let isMapped = !parts[0].utf8.contains(UInt8(ascii: ":"))
        let bits = isMapped ? 32 : 128
        var length = bits
        if parts.count == 2 {
            guard let given = Int(parts[1]), (0...bits).contains(given) else { return nil }
            length = given
        }
        self.bytes = bytes
        self.length = length + 128 - bits
        description = text
    }

    /// The addresses of this machine.
    public static let loopback = ["127.0.0.0/8", "::1"].compactMap { NetworkPrefix($0) }

    /// Whether `address` has this prefix.
    public func contains(_ address: String) -> Bool {
        guard let other = Self.bytes(of: address) else { return false }
        let whole = length / 8
        guard bytes[..<whole] == other[..<whole] else { return false }
        let rest = length % 8
        return rest == 0 || (bytes[whole] ^ other[whole]) >> UInt8(8 - rest) == 0
    }

    /// Whether `address` belongs to this machine.
    public static func isLoopback(_ address: String) -> Bool { loopback.contains { $0.contains(address) } }

    /// The address for limits: a client with a whole IPv6 network counts as one, so that it cannot use a new address
    /// for every request.
    public static func limitKey(_ address: String) -> String {
        guard address.utf8.contains(UInt8(ascii: ":")), let bytes = bytes(of: address),
            bytes[..<12] != [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff][...]
        else { return address }
        return bytes[..<8].map { String($0, radix: 16) }.joined(separator: ":")
    }

    /// The 16 bytes of a numeric address; `nil` otherwise.
    private static func bytes(of address: String) -> [UInt8]? {
        // Link-local addresses contain the name of an interface.
        let text = String(address.prefix { $0 != "%" })
        var bytes = [UInt8](repeating: 0, count: 16)
        if unsafe inet_pton(AF_INET6, text, &bytes) == 1 { return bytes }
        var short = [UInt8](repeating: 0, count: 4)
        guard unsafe inet_pton(AF_INET, text, &short) == 1 else { return nil }
        return [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] + short
    }
}
