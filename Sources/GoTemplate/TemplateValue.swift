internal import MetricModel

/// A value in a running template. Kinds and conversions are those of Go's `text/template`.
public indirect enum TemplateValue: Sendable {
    /// No value; printed as `<no value>`.
    case absent
    case bool(Bool)
    case integer(Int64)
    case float(Double)
    case string(String)
    case list([TemplateValue])
    /// `zero` is the value of missing keys.
    case map([String: TemplateValue], zero: TemplateValue)
    case object(any TemplateObject)

    /// A map of texts. The value of a missing key is the empty text.
    public static func texts(_ labels: some Sequence<(String, String)>) -> TemplateValue {
        .map(
            Dictionary(labels.map { ($0, TemplateValue.string($1)) }, uniquingKeysWith: { _, last in last }),
            zero: .string(""))
    }
}

/// A value with fields and methods, such as a sample or a time.
public protocol TemplateObject: Sendable {
    /// The name of its type in error messages.
    var typeName: String { get }
    /// The printed text.
    var text: String { get }
    /// The list or map for `range`, `len` and `index`; `nil` if it is not a collection.
    var collection: TemplateValue? { get }
    /// The value as `toJson` prints it.
    var json: String { get }
    /// The field or the result of the method `name`; `nil` if there is none.
    func member(_ name: String, _ arguments: [TemplateValue]) throws(TemplateFailure) -> TemplateValue?
}

extension TemplateObject {
    /// Not a collection.
    public var collection: TemplateValue? { nil }
    /// Its text as a JSON string.
    public var json: String { collection?.json ?? JSONText.quoted(text) }
}

/// Why a function failed.
public struct TemplateFailure: Error, Equatable, Sendable {
    /// The reason.
    public var message: String

    /// A failure for the reason `message`.
    public init(_ message: String) {
        self.message = message
    }
}

/// A function that templates can call.
public struct TemplateFunction: Sendable {
    /// The number of arguments.
    public var arity: ClosedRange<Int>
    /// The implementation.
    public var call: @Sendable ([TemplateValue]) throws(TemplateFailure) -> TemplateValue

    /// A function that takes `arity` arguments.
    public init(
        _ arity: ClosedRange<Int>,
        _ call: @escaping @Sendable ([TemplateValue]) throws(TemplateFailure) -> TemplateValue
    ) {
        self.arity = arity
        self.call = call
    }

    /// A function that takes exactly `count` arguments.
    public init(
        _ count: Int, _ call: @escaping @Sendable ([TemplateValue]) throws(TemplateFailure) -> TemplateValue
    ) {
        self.init(count...count, call)
    }
}

extension TemplateValue {
    /// Whether `if` treats it as true: anything except zero, the empty text and empty collections.
    public var isTrue: Bool {
        switch self {
        case .absent: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .float(let value): value != 0
        case .string(let text): !text.isEmpty
        case .list(let elements): !elements.isEmpty
        case .map(let entries, _): !entries.isEmpty
        case .object(let object): object.collection?.isTrue ?? true
        }
    }

    /// The list or map of an object, or the value itself.
    var unwrapped: TemplateValue {
        if case .object(let object) = self { object.collection ?? self } else { self }
    }

    /// The value as Go's `json.Marshal` writes it; maps are sorted by key.
    public var json: String {
        switch self {
        case .absent: "null"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .float(let value): value.isFinite ? FloatText.json(value) : "null"
        case .string(let text): JSONText.quoted(text)
        case .list(let elements): "[\(elements.map(\.json).joined(separator: ","))]"
        case .map(let entries, _):
            "{\(Self.sorted(entries).map { "\(JSONText.quoted($0)):\($1.json)" }.joined(separator: ","))}"
        case .object(let object): object.json
        }
    }

    /// The texts of a list.
    public func asTexts() throws(TemplateFailure) -> [String] {
        guard case .list(let elements) = unwrapped else {
            throw TemplateFailure("wrong type for value; expected []string; got \(typeName)")
        }
        var texts: [String] = []
        for element in elements { texts.append(try element.asText()) }
        return texts
    }

    /// The name of its type in Go, for error messages.
    public var typeName: String {
        switch self {
        case .absent: "nil"
        case .bool: "bool"
        case .integer: "int"
        case .float: "float64"
        case .string: "string"
        case .list: "[]interface {}"
        case .map(_, let zero):
            if case .string = zero { "map[string]string" } else { "map[string]interface {}" }
        case .object(let object): object.typeName
        }
    }

    /// The printed text, like Go's `%v`.
    public var text: String {
        switch self {
        case .absent: "<nil>"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .float(let value): FloatText.general(value)
        case .string(let text): text
        case .list(let elements): "[\(elements.map(\.text).joined(separator: " "))]"
        case .map(let entries, _):
            "map[\(Self.sorted(entries).map { "\($0):\($1.text)" }.joined(separator: " "))]"
        case .object(let object): object.text
        }
    }

    /// The pairs of a map in the order of their keys.
    static func sorted(_ entries: [String: TemplateValue]) -> [(String, TemplateValue)] {
        entries.sorted { ByteOrder.precedes($0.key, $1.key) }.map { ($0.key, $0.value) }
    }

    /// The text of a string; throws an error like Go's for other types.
    public func asText() throws(TemplateFailure) -> String {
        guard case .string(let text) = self else {
            throw TemplateFailure("wrong type for value; expected string; got \(typeName)")
        }
        return text
    }

    /// A number, or a text that is a number, as accepted by Prometheus's functions.
    public func asNumber() throws(TemplateFailure) -> Double {
        switch self {
        case .integer(let value): return Double(value)
        case .float(let value): return value
        case .string(let text):
            guard let value = GoNumber.float(text) else {
                throw TemplateFailure("strconv.ParseFloat: parsing \(MetricText.quoted(text)): invalid syntax")
            }
            return value
        case .object(let duration as TemplateDuration): return duration.seconds
        case .object(let object as TemplateMarkup): return try TemplateValue.string(object.text).asNumber()
        case .absent, .bool, .list, .map, .object:
            throw TemplateFailure("can't convert \(typeName) to float")
        }
    }
}
