/// A pattern that a whole label value must match, as in Prometheus's matchers. Patterns that are lists of literals or a
/// literal prefix are matched without a regular expression, however long the list is.
///
/// Immutable; may be shared between threads.
public struct LabelPattern: Sendable {
    private enum Form {
        /// The value is one of these texts, which are sorted by their bytes.
        case oneOf([String])
        /// The value starts with this text and continues for at least this number of bytes.
        case prefix(String, atLeast: Int)
        case expression(RegularExpression)
    }

    private let form: Form

    /// Compiles `pattern`.
    public init(_ pattern: String) throws(RegularExpression.PatternError) {
        let body = Self.withoutGroup(pattern.utf8)
        if let texts = Self.alternatives(of: body) {
            form = .oneOf(Self.sorted(texts))
            return
        }
        for (ending, more) in [(".*", 0), (".+", 1)] where body.count >= 2 && body.suffix(2).elementsEqual(ending.utf8)
        {
            if let prefix = Self.alternatives(of: body.dropLast(2)), prefix.count == 1 {
                form = .prefix(prefix[0], atLeast: more)
                return
            }
        }
        form = .expression(try RegularExpression(pattern))
    }

    /// A pattern that matches exactly the texts in `texts`.
    public init(oneOf texts: [String]) {
        form = .oneOf(Self.sorted(texts))
    }

    /// The matching texts, if the pattern is a list; each once, in no particular order.
    public var listed: [String]? {
        if case .oneOf(let texts) = form { texts } else { nil }
    }

    /// Whether the whole of `value` matches.
    public func matches(_ value: String) -> Bool {
        switch form {
        case .oneOf(let texts): Self.contains(texts, value)
        case .prefix(let prefix, let more):
            value.utf8.count >= prefix.utf8.count + more && value.utf8.starts(with: prefix.utf8)
        case .expression(let expression): expression.matchesWhole(value)
        }
    }

    private static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }

    /// Sorted by bytes, each text once. Swift compares strings by characters, but labels are compared by bytes.
    private static func sorted(_ texts: [String]) -> [String] {
        var result: [String] = []
        for text in texts.sorted(by: precedes) {
            if let last = result.last, last.utf8.elementsEqual(text.utf8) { continue }
            result.append(text)
        }
        return result
    }

    private static func contains(_ texts: [String], _ value: String) -> Bool {
        var range = 0..<texts.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if precedes(texts[middle], value) {
                range = middle + 1..<range.upperBound
            } else if precedes(value, texts[middle]) {
                range = range.lowerBound..<middle
            } else {
                return true
            }
        }
        return false
    }

    /// The content of a group around the whole pattern.
    private static func withoutGroup(_ pattern: String.UTF8View) -> Substring.UTF8View {
        let whole = pattern[...]
        for opening in ["(?:", "("] where whole.starts(with: opening.utf8) && whole.last == UInt8(ascii: ")") {
            let inner = whole.dropFirst(opening.utf8.count).dropLast()
            return alternatives(of: inner) == nil ? whole : inner
        }
        return whole
    }

    /// The texts in a pattern without operators other than `|`; `nil` for other patterns.
    private static func alternatives(of pattern: Substring.UTF8View) -> [String]? {
        var texts: [String] = []
        var text: [UInt8] = []
        var rest = pattern
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "|"):
                texts.append(String(decoding: text, as: UTF8.self))
                text = []
            case UInt8(ascii: "\\"):
                // An escaped punctuation character stands for itself; other escapes are operators.
                guard let escaped = rest.popFirst(), isPunctuation(escaped) else { return nil }
                text.append(escaped)
            case _ where operators.contains(byte): return nil
            default: text.append(byte)
            }
        }
        texts.append(String(decoding: text, as: UTF8.self))
        return texts
    }

    private static let operators = Array(".+*?()[]{}^$".utf8)

    private static func isPunctuation(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e: true
        default: false
        }
    }
}
