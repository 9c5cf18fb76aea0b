public import MetricModel
internal import RE2
internal import Runtime

/// The functions that Alertmanager offers to notification templates. A value.
public struct AlertmanagerFunctions: Sendable {
    /// The time at which the template is expanded.
    public var time: Timestamp
    /// Expands the label of the route with the given name.
    public var routeLabels: @Sendable (String) throws(TemplateFailure) -> String

    /// Functions at `time`.
    public init(
        time: Timestamp,
        routeLabels: @escaping @Sendable (String) throws(TemplateFailure) -> String = { (_) throws(TemplateFailure) in
            ""
        }
    ) {
        self.time = time
        self.routeLabels = routeLabels
    }

    /// The names of all functions.
    public static let names = Set(AlertmanagerFunctions(time: Timestamp(milliseconds: 0)).table.keys)

    /// The functions by name.
    public var table: [String: TemplateFunction] {
        let (time, routeLabels) = (time, routeLabels)
        return Self.pure.merging([
            "since": TemplateFunction(1) { arguments throws(TemplateFailure) in
                let distance = time.milliseconds - (try Self.moment(arguments[0])).timestamp.milliseconds
                return .object(TemplateDuration(seconds: Double(distance) / 1000))
            },
            "routeLabels": TemplateFunction(1) { arguments throws(TemplateFailure) in
                .string(try routeLabels(try arguments[0].asText()))
            },
        ]) { first, _ in first }
    }

    private static let pure: [String: TemplateFunction] = texts.merging(values) { first, _ in first }
        .merging(PrometheusFunctions.shared) { first, _ in first }

    // MARK: Texts

    private static let texts: [String: TemplateFunction] = [
        "title": onText { titled($0) },
        "trimSpace": onText { text in
            let trimmed = text.unicodeScalars.drop { $0.properties.isWhitespace }
            return String(
                String.UnicodeScalarView(
                    trimmed.reversed().drop { $0.properties.isWhitespace }.reversed()))
        },
        "join": TemplateFunction(2) { arguments throws(TemplateFailure) in
            let separator = try arguments[0].asText()
            return .string(try arguments[1].asTexts().joined(separator: separator))
        },
        "safeHtml": TemplateFunction(1) { arguments throws(TemplateFailure) in
            .object(TemplateMarkup(kind: .html, text: try arguments[0].asText()))
        },
        "safeUrl": TemplateFunction(1) { arguments throws(TemplateFailure) in
            .object(TemplateMarkup(kind: .url, text: try arguments[0].asText()))
        },
        "urlUnescape": TemplateFunction(1) { arguments throws(TemplateFailure) in
            .string(try unescaped(try arguments[0].asText()))
        },
        "stringSlice": TemplateFunction(0...Int.max) { arguments throws(TemplateFailure) in
            .list(try TemplateValue.list(arguments).asTexts().map { .string($0) })
        },
        "base64encode": onText { URLSafeBase64.text(Array($0.utf8)) },
        "base64decode": TemplateFunction(1) { arguments throws(TemplateFailure) in
            let text = try arguments[0].asText()
            guard let bytes = URLSafeBase64.bytes(text) else { throw TemplateFailure("illegal base64 data") }
            return .string(String(decoding: bytes, as: UTF8.self))
        },
    ]

    private static func onText(_ transform: @escaping @Sendable (String) -> String) -> TemplateFunction {
        TemplateFunction(1) { arguments throws(TemplateFailure) in .string(transform(try arguments[0].asText())) }
    }

    /// The first letter of each word in upper case, the others in lower case.
    private static func titled(_ text: String) -> String {
        var isInWord = false
        let scalars = Array(text.unicodeScalars)
        var result = ""
        for (index, scalar) in scalars.enumerated() {
            if isWord(scalar) {
                let image = isInWord ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
                result += image
                isInWord = true
            } else {
                // An apostrophe, colon or point between letters does not end a word.
                let joins = ["'", "\u{2019}", ".", ":"].contains(scalar)
                let next = index + 1 < scalars.count && isWord(scalars[index + 1])
                if !(isInWord && joins && next) { isInWord = false }
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_"
    }

    private static func unescaped(_ text: String) throws(TemplateFailure) -> String {
        var result: [UInt8] = []
        let bytes = Array(text.utf8)
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "+"): result.append(0x20)
            case UInt8(ascii: "%"):
                let digits = String(decoding: bytes[(index + 1)...].prefix(2), as: UTF8.self)
                guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit), let byte = UInt8(digits, radix: 16)
                else {
                    throw TemplateFailure("invalid URL escape \(GoLiteral.quoted("%" + digits))")
                }
                result.append(byte)
                index += 2
            default: result.append(bytes[index])
            }
            index += 1
        }
        return String(decoding: result, as: UTF8.self)
    }

    // MARK: Collections and times

    private static let values: [String: TemplateFunction] = [
        "toJson": TemplateFunction(1) { arguments throws(TemplateFailure) in .string(arguments[0].json) },
        "list": TemplateFunction(0...Int.max) { arguments throws(TemplateFailure) in .list(arguments) },
        "append": TemplateFunction(1...Int.max) { arguments throws(TemplateFailure) in
            guard case .list(let elements) = arguments[0].unwrapped else {
                throw TemplateFailure("wrong type for value; expected a list; got \(arguments[0].typeName)")
            }
            return .list(elements + arguments.dropFirst())
        },
        "dict": TemplateFunction(0...Int.max) { arguments throws(TemplateFailure) in
            guard arguments.count.isMultiple(of: 2) else {
                throw TemplateFailure("dict expects an even number of arguments")
            }
            var entries: [String: TemplateValue] = [:]
            for index in stride(from: 0, to: arguments.count, by: 2) {
                guard case .string(let key) = arguments[index] else {
                    throw TemplateFailure("dict keys must be strings, got \(arguments[index].typeName)")
                }
                entries[key] = arguments[index + 1]
            }
            return .map(entries, zero: .absent)
        },
        "date": TemplateFunction(2) { arguments throws(TemplateFailure) in
            .string(try moment(arguments[1]).formatted(try arguments[0].asText()))
        },
        "tz": TemplateFunction(2) { arguments throws(TemplateFailure) in
            let name = try arguments[0].asText()
            let time = try moment(arguments[1])
            do throws(TimeZoneError) {
                return .object(time.inZone(try TimeZone.load(name)))
            } catch {
                throw TemplateFailure("unknown time zone \(name)")
            }
        },
        "toDate": TemplateFunction(2) { arguments throws(TemplateFailure) in
            let (layout, text) = (try arguments[0].asText(), try arguments[1].asText())
            do throws(TemplateDate.Fault) {
                return .object(try TemplateDate.parse(text, layout: layout))
            } catch {
                return .object(TemplateTime.zero)
            }
        },
        "mustToDate": TemplateFunction(2) { arguments throws(TemplateFailure) in
            let (layout, text) = (try arguments[0].asText(), try arguments[1].asText())
            do throws(TemplateDate.Fault) {
                return .object(try TemplateDate.parse(text, layout: layout))
            } catch {
                throw TemplateFailure(error.message)
            }
        },
    ]

    private static func moment(_ value: TemplateValue) throws(TemplateFailure) -> TemplateTime {
        guard case .object(let time as TemplateTime) = value else {
            throw TemplateFailure("wrong type for value; expected time.Time; got \(value.typeName)")
        }
        return time
    }
}

/// Base64 with the alphabet for URLs and padding (RFC 4648, section 5).
enum URLSafeBase64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func text(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var word = 0
            for index in 0..<3 { word = word << 8 | (start + index < bytes.count ? Int(bytes[start + index]) : 0) }
            for place in 0..<4 {
                text.append(place > group.count ? UInt8(ascii: "=") : alphabet[word >> (18 - 6 * place) & 0x3f])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    static func bytes(_ text: String) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count.isMultiple(of: 4) else { return nil }
        let padding = characters.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard padding <= 2 else { return nil }
        var bytes: [UInt8] = []
        var (word, bits) = (0, 0)
        for character in characters.dropLast(padding) {
            guard let value = alphabet.firstIndex(of: character) else { return nil }
            word = (word << 6 | value) & 0xffff
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: word >> bits))
            }
        }
        return bytes
    }
}
