internal import MetricModel

/// The functions of Go's `text/template`.
enum TemplateBuiltins {
    /// `and` and `or` are part of the language, because they do not evaluate all their arguments.
    static let names = Set(functions.keys).union(["and", "or"])

    private static let any = 1...Int.max

    static let functions: [String: TemplateFunction] = [
        "not": TemplateFunction(1) { arguments throws(TemplateFailure) in .bool(!arguments[0].isTrue) },
        "len": TemplateFunction(1) { arguments throws(TemplateFailure) in .integer(try length(of: arguments[0])) },
        "index": TemplateFunction(any) { arguments throws(TemplateFailure) in try index(arguments) },
        "slice": TemplateFunction(1...4) { arguments throws(TemplateFailure) in try slice(arguments) },
        "call": TemplateFunction(any) { _ throws(TemplateFailure) in throw TemplateFailure("call of non-function") },
        "print": TemplateFunction(0...Int.max) { arguments throws(TemplateFailure) in
            .string(GoFormat.printed(arguments))
        },
        "println": TemplateFunction(0...Int.max) { arguments throws(TemplateFailure) in
            .string(arguments.map(\.text).joined(separator: " ") + "\n")
        },
        "printf": TemplateFunction(any) { arguments throws(TemplateFailure) in
            .string(GoFormat.formatted(try arguments[0].asText(), Array(arguments.dropFirst())))
        },
        "html": TemplateFunction(0...Int.max) { arguments throws(TemplateFailure) in
            .string(escaped(GoFormat.printed(arguments), html))
        },
        "js": TemplateFunction(0...Int.max) { arguments throws(TemplateFailure) in
            .string(escaped(GoFormat.printed(arguments), javaScript))
        },
        "urlquery": TemplateFunction(0...Int.max) { arguments throws(TemplateFailure) in
            .string(QueryEscape.escaped(GoFormat.printed(arguments)))
        },
        "eq": TemplateFunction(2...Int.max) { arguments throws(TemplateFailure) in
            for other in arguments.dropFirst() where try areEqual(arguments[0], other) { return .bool(true) }
            return .bool(false)
        },
        "ne": TemplateFunction(2) { arguments throws(TemplateFailure) in
            .bool(!(try areEqual(arguments[0], arguments[1])))
        },
        "lt": TemplateFunction(2) { arguments throws(TemplateFailure) in
            .bool(try precedes(arguments[0], arguments[1]))
        },
        "le": TemplateFunction(2) { arguments throws(TemplateFailure) in
            let isLess = try precedes(arguments[0], arguments[1])
            return .bool(isLess ? true : try areEqual(arguments[0], arguments[1]))
        },
        "gt": TemplateFunction(2) { arguments throws(TemplateFailure) in
            let isLess = try precedes(arguments[0], arguments[1])
            return .bool(isLess ? false : !(try areEqual(arguments[0], arguments[1])))
        },
        "ge": TemplateFunction(2) { arguments throws(TemplateFailure) in
            .bool(!(try precedes(arguments[0], arguments[1])))
        },
    ]

    // MARK: Comparison

    private static func areEqual(_ left: TemplateValue, _ right: TemplateValue) throws(TemplateFailure) -> Bool {
        switch (left.unwrapped, right.unwrapped) {
        case (.bool(let left), .bool(let right)): return left == right
        case (.integer(let left), .integer(let right)): return left == right
        case (.float(let left), .float(let right)): return left == right
        case (.string(let left), .string(let right)): return ByteOrder.equal(left, right)
        case (.absent, .absent): return true
        case (.absent, _), (_, .absent): return false
        case (.list, _), (_, .list), (.map, _), (_, .map):
            throw TemplateFailure("non-comparable type \(left.typeName): \(left.text)")
        default: throw TemplateFailure("incompatible types for comparison")
        }
    }

    private static func precedes(_ left: TemplateValue, _ right: TemplateValue) throws(TemplateFailure) -> Bool {
        switch (left, right) {
        case (.integer(let left), .integer(let right)): return left < right
        case (.float(let left), .float(let right)): return left < right
        case (.string(let left), .string(let right)): return ByteOrder.precedes(left, right)
        case (.integer, .float), (.integer, .string), (.float, .integer), (.float, .string), (.string, .integer),
            (.string, .float):
            throw TemplateFailure("incompatible types for comparison")
        default: throw TemplateFailure("invalid type for comparison")
        }
    }

    // MARK: Collections

    private static func length(of value: TemplateValue) throws(TemplateFailure) -> Int64 {
        switch value.unwrapped {
        case .string(let text): return Int64(text.utf8.count)
        case .list(let elements): return Int64(elements.count)
        case .map(let entries, _): return Int64(entries.count)
        case .absent: throw TemplateFailure("len of nil pointer")
        case .bool, .integer, .float, .object: throw TemplateFailure("len of type \(value.typeName)")
        }
    }

    private static func index(_ arguments: [TemplateValue]) throws(TemplateFailure) -> TemplateValue {
        var value = arguments[0]
        for key in arguments.dropFirst() {
            switch value.unwrapped {
            case .map(let entries, let zero): value = entries[try key.asText()] ?? zero
            case .list(let elements): value = elements[try position(key, below: elements.count)]
            case .string(let text):
                let bytes = Array(text.utf8)
                value = .integer(Int64(bytes[try position(key, below: bytes.count)]))
            case .absent: throw TemplateFailure("index of untyped nil")
            case .bool, .integer, .float, .object:
                throw TemplateFailure("can't index item of type \(value.typeName)")
            }
        }
        return value
    }

    private static func position(_ key: TemplateValue, below count: Int) throws(TemplateFailure) -> Int {
        guard case .integer(let index) = key else {
            throw TemplateFailure("cannot index slice/array with type \(key.typeName)")
        }
        guard index >= 0, index < count else { throw TemplateFailure("index out of range: \(index)") }
        return Int(index)
    }

    private static func slice(_ arguments: [TemplateValue]) throws(TemplateFailure) -> TemplateValue {
        func bounds(_ count: Int) throws(TemplateFailure) -> Range<Int> {
            let low = arguments.count > 1 ? try position(arguments[1], below: count + 1) : 0
            let high = arguments.count > 2 ? try position(arguments[2], below: count + 1) : count
            guard low <= high else { throw TemplateFailure("invalid slice index: \(low) > \(high)") }
            return low..<high
        }
        switch arguments[0].unwrapped {
        case .string(let text):
            guard arguments.count < 4 else { throw TemplateFailure("cannot 3-index slice a string") }
            let bytes = Array(text.utf8)
            return .string(String(decoding: bytes[try bounds(bytes.count)], as: UTF8.self))
        case .list(let elements): return .list(Array(elements[try bounds(elements.count)]))
        case .absent: throw TemplateFailure("slice of untyped nil")
        case .bool, .integer, .float, .map, .object:
            throw TemplateFailure("can't slice item of type \(arguments[0].typeName)")
        }
    }

    // MARK: Escapes

    private static let html: [Unicode.Scalar: String] = [
        "\"": "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": "\u{fffd}",
    ]

    private static let javaScript: [Unicode.Scalar: String] = [
        "\\": "\\\\", "'": "\\'", "\"": "\\\"", "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D",
        "\n": "\\u000A", "\r": "\\u000D", "\t": "\\u0009",
    ]

    private static func escaped(_ text: String, _ table: [Unicode.Scalar: String]) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            if let replacement = table[scalar] {
                result += replacement
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
    }
}

/// Escaping for the query part of a URL, as Go's `url.QueryEscape`.
public enum QueryEscape {
    /// `text` with all bytes escaped except unreserved ones; a blank becomes `+`.
    public static func escaped(_ text: String) -> String {
        var result: [UInt8] = []
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                result.append(byte)
            case UInt8(ascii: " "): result.append(UInt8(ascii: "+"))
            default: result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
