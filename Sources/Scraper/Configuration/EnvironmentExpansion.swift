internal import Glibc

/// Replaces `$NAME` and `${NAME}` in texts with environment variables; `$$` becomes `$`. A value.
struct EnvironmentExpansion {
    /// Variables that were used but are not set, or empty.
    private(set) var missing: [String] = []
    private let lookUp: (String) -> String?

    /// - Parameter lookUp: returns the value of a variable.
    init(lookUp: @escaping (String) -> String? = EnvironmentExpansion.variable) {
        self.lookUp = lookUp
    }

    private static func variable(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    /// `text` with the values of its variables. A `$` without a name stays; an unterminated `${` is dropped.
    mutating func expanded(_ text: String) -> String {
        var result: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.first {
            rest = rest.dropFirst()
            guard byte == UInt8(ascii: "$"), let next = rest.first else {
                result.append(byte)
                continue
            }
            if next == UInt8(ascii: "{") {
                guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else {
                    rest = rest.dropFirst()
                    continue
                }
                let name = rest[..<end].dropFirst()
                rest = rest[end...].dropFirst()
                if !name.isEmpty { result += value(name) }
            } else if Self.special.contains(next) {
                result += value(rest.prefix(1))
                rest = rest.dropFirst()
            } else {
                let name = rest.prefix(while: Self.isNameByte)
                if name.isEmpty { result.append(byte) } else { result += value(name) }
                rest = rest.dropFirst(name.count)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private mutating func value(_ name: Substring.UTF8View) -> String.UTF8View {
        let name = String(decoding: name, as: UTF8.self)
        if name == "$" { return "$".utf8 }
        if let value = lookUp(name), !value.isEmpty { return value.utf8 }
        missing.append(name)
        return "".utf8
    }

    /// The names of one character in a shell.
    private static let special = Set("*#$@!?-0123456789".utf8)

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
