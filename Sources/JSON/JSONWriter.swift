/// Writes JSON text piece by piece into one byte buffer, for responses that are too large to build as values.
///
/// Commas are added automatically. The caller must close what it opens.
public struct JSONWriter: Sendable {
    /// The text so far.
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false
    private let sortsMembers: Bool
    /// Writes a space after the name of a member, and apostrophes as `\u0027`. Delivery pipelines paste such text
    /// between the apostrophes of a shell command, and search it for `"name": value`.
    public var isForPipelines = false

    /// A writer without text.
    ///
    /// - Parameters:
    ///   - capacity: the bytes to make room for.
    ///   - sortsMembers: whether ``write(_:)`` sorts the members of objects bytewise by name.
    public init(reserving capacity: Int = 0, sortsMembers: Bool = false) {
        self.sortsMembers = sortsMembers
        bytes.reserveCapacity(capacity)
    }

    /// Makes room for `count` more bytes, if the size of the next text is approximately known.
    public mutating func reserve(_ count: Int) {
        bytes.reserveCapacity(bytes.count + count)
    }

    /// Moves the text so far to `other`. Writing continues where it ended.
    public mutating func drain(into other: inout [UInt8]) {
        if other.isEmpty { swap(&bytes, &other) } else { other += bytes }
        bytes.removeAll(keepingCapacity: true)
    }

    /// The text so far as a string.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// `{`.
    public mutating func beginObject() { open(UInt8(ascii: "{")) }
    /// `}`.
    public mutating func endObject() { close(UInt8(ascii: "}")) }
    /// `[`.
    public mutating func beginArray() { open(UInt8(ascii: "[")) }
    /// `]`.
    public mutating func endArray() { close(UInt8(ascii: "]")) }

    /// The name of a member; its value must follow.
    public mutating func name(_ name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        if isForPipelines { bytes.append(UInt8(ascii: " ")) }
        needsComma = false
    }

    /// A string value.
    public mutating func string(_ text: String) {
        separate()
        quote(text)
        needsComma = true
    }

    /// A whole number.
    public mutating func integer(_ value: some BinaryInteger) {
        raw(String(value))
    }

    /// A number. NaN and infinities, which JSON cannot represent, become `null`.
    public mutating func number(_ value: Double) {
        if !value.isFinite {
            raw("null")
        } else if value.magnitude < 0x1p53, let whole = Int64(exactly: value), whole != 0 || value.sign == .plus {
            raw(String(whole))
        } else {
            raw(value.description)
        }
    }

    /// `true` or `false`.
    public mutating func bool(_ value: Bool) { raw(value ? "true" : "false") }
    /// `null`.
    public mutating func null() { raw("null") }

    /// Text that is already JSON.
    public mutating func raw(_ text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
        needsComma = true
    }

    /// A value whose JSON text `write` appends, for text that is expensive to build as a string.
    public mutating func raw(writing write: (inout [UInt8]) -> Void) {
        separate()
        write(&bytes)
        needsComma = true
    }

    /// A complete value.
    public mutating func write(_ value: JSON) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .integer(let value): integer(value)
        case .number(let value): number(value)
        case .string(let text): string(text)
        case .array(let elements):
            beginArray()
            for element in elements { write(element) }
            endArray()
        case .object(let members):
            beginObject()
            for member in sortsMembers ? Self.sorted(members) : members {
                name(member.name)
                write(member.value)
            }
            endObject()
        }
    }

    private static func sorted(_ members: [JSON.Member]) -> [JSON.Member] {
        func precedes(_ one: JSON.Member, _ other: JSON.Member) -> Bool {
            one.name.utf8.lexicographicallyPrecedes(other.name.utf8)
        }
        let isSorted = zip(members, members.dropFirst()).allSatisfy { !precedes($1, $0) }
        return isSorted ? members : members.sorted(by: precedes)
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        if isForPipelines, text.utf8.contains(UInt8(ascii: "'")) {
            for (index, piece) in text.split(separator: "'", omittingEmptySubsequences: false).enumerated() {
                if index > 0 { bytes.append(contentsOf: "\\u0027".utf8) }
                var piece = piece
                piece.withUTF8 { unsafe escape($0) }
            }
        } else {
            var text = text
            text.withUTF8 { unsafe escape($0) }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Appends text between quotation marks: runs of plain bytes at once, other bytes as escapes.
    private mutating func escape(_ text: UnsafeBufferPointer<UInt8>) {
        var start = 0
        while start < text.count {
            let end = unsafe Self.endOfPlainBytes(text, from: start)
            unsafe bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<end]))
            if end < text.count { unsafe escape(text[end]) }
            start = end + 1
        }
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case UInt8(ascii: "\n"): bytes.append(UInt8(ascii: "n"))
        case UInt8(ascii: "\r"): bytes.append(UInt8(ascii: "r"))
        case UInt8(ascii: "\t"): bytes.append(UInt8(ascii: "t"))
        default:
            let digit = byte & 15
            bytes.append(contentsOf: "u00".utf8)
            bytes.append(UInt8(ascii: "0") + (byte >> 4))
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }

    /// The index of the first byte from `start` on that must be escaped, or the end. Skips eight plain bytes at a time.
    private static func endOfPlainBytes(_ text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        let (ones, tops): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080)
        /// Nonzero if a byte of `word` is less than `limit`, which is at most 128.
        func hasByte(_ word: UInt64, below limit: UInt64) -> UInt64 { (word &- ones &* limit) & ~word & tops }
        var index = start
        while index + 8 <= text.count {
            let word = unsafe UnsafeRawPointer(text.baseAddress!).loadUnaligned(fromByteOffset: index, as: UInt64.self)
            let special =
                hasByte(word, below: 0x20) | hasByte(word ^ ones &* UInt64(UInt8(ascii: "\"")), below: 1)
                | hasByte(word ^ ones &* UInt64(UInt8(ascii: "\\")), below: 1)
            if special != 0 { break }
            index += 8
        }
        while index < text.count {
            let byte = unsafe text[index]
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
            index += 1
        }
        return index
    }
}
