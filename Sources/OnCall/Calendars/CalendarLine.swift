/// Why a calendar cannot be read: the line, the property and a sentence.
public struct CalendarError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The line of the file, from 1; 0 if the fault has no line.
    public let line: Int
    /// The property, such as `RRULE`; empty if the fault is not in one.
    public let property: String
    /// The fault, and what was expected.
    public let message: String

    init(_ message: String, line: Int = 0, property: String = "") {
        self.message = message
        self.line = line
        self.property = property
    }

    /// `line 12: RRULE: …`.
    public var description: String {
        (line > 0 ? "line \(line): " : "") + (property.isEmpty ? "" : "\(property): ") + message
    }
}

/// A content line of an iCalendar file (RFC 5545, 3.1): a property with parameters and a value. A value.
struct CalendarLine: Equatable, Sendable {
    /// The line at which it begins, from 1.
    var number: Int
    /// The name in capitals.
    var name: String
    /// Parameters by name in capitals, without quotation marks.
    var parameters: [String: String]
    /// The value as it is in the file.
    var value: String

    /// The most bytes of a property with its continuation lines.
    private static let lengthLimit = 64 << 10

    /// The lines of `bytes`, with continuation lines joined.
    static func read(_ bytes: [UInt8]) throws(CalendarError) -> [CalendarLine] {
        var lines: [CalendarLine] = []
        var current: [UInt8] = []
        var first = 0
        func finish() throws(CalendarError) {
            if !current.isEmpty { lines.append(try CalendarLine(current, number: first)) }
        }
        for (index, raw) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            let line = raw.last == UInt8(ascii: "\r") ? raw.dropLast() : raw
            if line.first == UInt8(ascii: " ") || line.first == UInt8(ascii: "\t") {
                guard first > 0 else { throw CalendarError("a continuation of nothing", line: index + 1) }
                current += line.dropFirst()
                guard current.count <= lengthLimit else {
                    throw CalendarError("longer than \(lengthLimit) bytes", line: first)
                }
                continue
            }
            try finish()
            current = Array(line)
            first = index + 1
        }
        try finish()
        return lines
    }

    /// Reads `NAME;PARAMETER=value;OTHER="value":value`.
    private init(_ bytes: [UInt8], number: Int) throws(CalendarError) {
        self.number = number
        var parts: [ArraySlice<UInt8>] = []
        var (start, isQuoted, end) = (0, false, -1)
        for (index, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if isQuoted { continue }
            if byte == UInt8(ascii: ";") || byte == UInt8(ascii: ":") {
                parts.append(bytes[start..<index])
                start = index + 1
            }
            if byte == UInt8(ascii: ":") {
                end = index
                break
            }
        }
        guard end >= 0, let first = parts.first, !first.isEmpty else {
            throw CalendarError("expected NAME:value", line: number)
        }
        name = String(decoding: first, as: UTF8.self).uppercased()
        var parameters: [String: String] = [:]
        for part in parts.dropFirst() {
            guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else {
                throw CalendarError("expected parameters as NAME=value", line: number, property: name)
            }
            let text = String(decoding: part[(equals + 1)...], as: UTF8.self)
            parameters[String(decoding: part[..<equals], as: UTF8.self).uppercased()] = text.filter { $0 != "\"" }
        }
        self.parameters = parameters
        value = String(decoding: bytes[(end + 1)...], as: UTF8.self)
    }

    /// The value as text, without escapes.
    var text: String {
        var text = ""
        var isEscaped = false
        for character in value {
            if isEscaped {
                text.append(character == "n" || character == "N" ? "\n" : character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                text.append(character)
            }
        }
        return text
    }

    func fault(_ message: String) -> CalendarError { CalendarError(message, line: number, property: name) }
}
