internal import CRE2

/// A pattern in RE2's syntax. Matching takes linear time for every pattern.
///
/// Immutable; may be shared between threads.
///
/// `@unchecked`: the pattern is never written after compilation, and RE2 matches concurrently.
@safe public final class RegularExpression: @unchecked Sendable {
    /// Why RE2 rejected a pattern.
    public struct PatternError: Error, Equatable, Sendable, CustomStringConvertible {
        /// The pattern.
        public let pattern: String
        /// RE2's error message.
        public let reason: String
        /// The message and the pattern.
        public var description: String { "invalid regular expression \"\(pattern)\": \(reason)" }
    }

    /// The maximum length of a pattern, in bytes.
    public static let longestPattern = 64 << 10

    /// The source text.
    public let pattern: String
    /// The number of capturing groups.
    public let groupCount: Int
    private let compiled: OpaquePointer

    /// Compiles `pattern`; `.` also matches line breaks, as in Prometheus's matchers.
    public init(_ pattern: String) throws(PatternError) {
        guard pattern.utf8.count <= Self.longestPattern else {
            throw PatternError(
                pattern: String(pattern.prefix(40)) + "…", reason: "longer than \(Self.longestPattern) bytes")
        }
        var reason = [CChar](repeating: 0, count: 256)
        let compiled = unsafe cre2_compile(pattern, pattern.utf8.count, &reason, reason.count)
        guard let compiled = unsafe compiled else {
            throw PatternError(
                pattern: pattern,
                reason: String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
        self.pattern = pattern
        unsafe self.compiled = unsafe compiled
        self.groupCount = unsafe Int(cre2_group_count(compiled))
    }

    deinit {
        unsafe cre2_free(compiled)
    }

    /// Whether the whole of `text` matches.
    public func matchesWhole(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in unsafe match(bytes, from: 0, anchored: true, pieces: nil) }
    }

    /// Whether the whole of the UTF-8 `bytes` matches.
    public func matchesWhole(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        unsafe match(bytes, from: 0, anchored: true, pieces: nil)
    }

    /// Whether `text` matches anywhere.
    public func matchesAnywhere(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in unsafe match(bytes, from: 0, anchored: false, pieces: nil) }
    }

    /// Replaces all of `text` with `template` if all of it matches; otherwise returns `nil`.
    ///
    /// In the template, `$1`, `${1}` and `${name}` are groups and `$$` is a dollar sign, as in Go's `Expand`: a group
    /// that does not exist is empty, and `$1x` is a group named `1x`.
    ///
    /// - Parameter limit: a result with more bytes than this may be incomplete.
    public func expandWhole(_ text: String, template: String, limit: Int = .max) -> String? {
        var text = text
        return text.withUTF8 { bytes -> String? in
            var pieces = unsafe [cre2_piece](repeating: cre2_piece(), count: groupCount + 1)
            guard unsafe match(bytes, from: 0, anchored: true, pieces: &pieces) else { return nil }
            var result: [UInt8] = []
            unsafe expand(Array(template.utf8), pieces: pieces, limit: limit, into: &result)
            return String(decoding: result, as: UTF8.self)
        }
    }

    /// `text` with every match replaced by the expansion of `template`, like Go's `ReplaceAllString`.
    public func replaceAll(in text: String, template: String) -> String {
        var text = text
        return text.withUTF8 { bytes -> String in
            let template = Array(template.utf8)
            var result: [UInt8] = []
            var copied = 0
            var from = 0
            var pieces = unsafe [cre2_piece](repeating: cre2_piece(), count: groupCount + 1)
            while from <= bytes.count, unsafe match(bytes, from: from, anchored: false, pieces: &pieces) {
                let range = unsafe Self.range(of: pieces[0], in: bytes)
                let emptyAfterMatch = range.isEmpty && range.lowerBound == copied && copied > 0
                if !emptyAfterMatch {
                    unsafe result += bytes[copied..<range.lowerBound]
                    unsafe expand(template, pieces: pieces, limit: .max, into: &result)
                    copied = range.upperBound
                }
                guard range.isEmpty else {
                    from = range.upperBound
                    continue
                }
                from = range.upperBound + 1
                while from < bytes.count, unsafe bytes[from] & 0xc0 == 0x80 { from += 1 }
            }
            unsafe result += bytes[min(copied, bytes.count)...]
            return String(decoding: result, as: UTF8.self)
        }
    }

    private func match(
        _ bytes: UnsafeBufferPointer<UInt8>, from: Int, anchored: Bool, pieces: UnsafeMutablePointer<cre2_piece>?
    ) -> Bool {
        unsafe bytes.withMemoryRebound(to: CChar.self) { text in
            // RE2 needs a pointer even for the empty text.
            var empty: CChar = 0
            return unsafe withUnsafePointer(to: &empty) { nothing in
                unsafe cre2_match(
                    compiled, text.baseAddress ?? nothing, text.count, from, anchored, pieces,
                    pieces == nil ? 0 : Int32(groupCount + 1))
            }
        }
    }

    private static func range(of piece: cre2_piece, in bytes: UnsafeBufferPointer<UInt8>) -> Range<Int> {
        guard let start = unsafe piece.start, let base = bytes.baseAddress else { return 0..<0 }
        let offset = unsafe UnsafeRawPointer(start) - UnsafeRawPointer(base)
        return unsafe offset..<offset + piece.length
    }

    private func expand(_ template: [UInt8], pieces: [cre2_piece], limit: Int, into result: inout [UInt8]) {
        var index = 0
        while index < template.count, result.count <= limit {
            guard template[index] == UInt8(ascii: "$"), index + 1 < template.count else {
                result.append(template[index])
                index += 1
                continue
            }
            if template[index + 1] == UInt8(ascii: "$") {
                result.append(UInt8(ascii: "$"))
                index += 2
                continue
            }
            let braced = template[index + 1] == UInt8(ascii: "{")
            let start = index + (braced ? 2 : 1)
            let name = template[start...].prefix { byte in
                (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte == 0x5f
            }
            let closed = !braced || (name.endIndex < template.count && template[name.endIndex] == UInt8(ascii: "}"))
            guard !name.isEmpty, closed else {
                result.append(template[index])
                index += 1
                continue
            }
            if let group = groupIndex(String(decoding: name, as: UTF8.self)),
                unsafe group < pieces.count, let base = unsafe pieces[group].start
            {
                unsafe result += UnsafeRawBufferPointer(start: base, count: pieces[group].length)
            }
            index = name.endIndex + (braced ? 1 : 0)
        }
    }

    private func groupIndex(_ name: String) -> Int? {
        if let number = Int(name) { return number }
        return (0...groupCount).first { index in
            guard let found = unsafe cre2_group_name(compiled, Int32(index)) else { return false }
            return unsafe String(cString: found) == name
        }
    }
}
