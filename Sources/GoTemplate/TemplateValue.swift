internal import MetricModel

/// A value while a template runs. Kinds and conversions are those of Go's `text/template`.
public indirect enum TemplateValue: Sendable {
    /// No value at all; printed as `<no value>`.
    case absent
    case bool(Bool)
    case integer(Int64)
    case float(Double)
    case string(String)
    case list([TemplateValue])
    /// `zero` stands for every key that is missing.
    case map([String: TemplateValue], zero: TemplateValue)
    case object(any TemplateObject)

    /// A map of texts in which a missing key is the empty text.
    public static func texts(_ labels: some Sequence<(String, String)>) -> TemplateValue {
        .map(
            Dictionary(labels.map { ($0, TemplateValue.string($1)) }, uniquingKeysWith: { _, last in last }),
            zero: .string(""))
    }
}

/// A value with fields and methods, such as a sample or a time.
public protocol TemplateObject: Sendable {
    /// The word for its type in error messages.
    var typeName: String { get }
    /// What printing it gives.
    var text: String { get }
    /// The list or map that `range`, `len` and `index` see; `nil` for a value that is none.
    var collection: TemplateValue? { get }
    /// The value as JSON, as `toJson` writes it.
    var json: String { get }
    /// The field or the result of the method `name`, or `nil` where there is none.
    func member(_ name: String, _ arguments: [TemplateValue]) throws(TemplateFailure) -> TemplateValue?
}

extension TemplateObject {
    /// No collection.
    public var collection: TemplateValue? { nil }
    /// Its text as a JSON string.
    public var json: String { collection?.json ?? JSONText.quoted(text) }
}

/// Why a function could not give a result.
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
    /// How many arguments it takes.
    public var arity: ClosedRange<Int>
    /// What it does.
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
    /// Whether `if` takes it for true: anything but zero, the empty text and empty collections.
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

    /// The list or map behind an object, or the value itself.
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

    /// What printing it gives, as Go's `%v`.
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

    /// The text of a string, or a failure like Go's.
    public func asText() throws(TemplateFailure) -> String {
        guard case .string(let text) = self else {
            throw TemplateFailure("wrong type for value; expected string; got \(typeName)")
        }
        return text
    }

    /// A number, also out of a text, as Prometheus's functions take it.
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
