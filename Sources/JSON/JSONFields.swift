/// An error in a JSON value with its position: `metrics[0].minimum: expected an object`.
public struct JSONFieldError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The path of the field, such as `metrics[0].minimum`; empty for the value itself.
    public var field: String
    /// The error.
    public var message: String

    /// An error at `field`.
    public init(field: String, message: String) {
        self.field = field
        self.message = message
    }

    /// The error with its position.
    public var description: String { field.isEmpty ? message : "\(field): \(message)" }
}

/// Reads the members of an object strictly: each is read by name, and a member that was not read is an error. `null`
/// counts as missing.
///
/// ```
/// var fields = try JSONFields(json)
/// let window = try fields.optionalText("window")
/// try fields.finish()
/// ```
public struct JSONFields {
    private let members: [JSON.Member]
    private var asked: Set<String> = []
    /// The path of the object; empty at the top.
    public let path: String

    /// Starts reading `json`, which must be an object without repeated names.
    public init(_ json: JSON, path: String = "") throws(JSONFieldError) {
        guard let members = json.members else {
            throw JSONFieldError(field: path, message: "expected an object")
        }
        self.members = members
        self.path = path
        var seen: Set<String> = []
        for member in members where !seen.insert(member.name).inserted {
            throw fault(member.name, "appears twice")
        }
    }

    /// The path of the field `name`.
    public func path(of name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// An error at the field `name`.
    public func fault(_ name: String, _ message: String) -> JSONFieldError {
        JSONFieldError(field: path(of: name), message: message)
    }

    /// The value of `name`; `nil` if it is missing or null.
    public mutating func optional(_ name: String) -> JSON? {
        asked.insert(name)
        guard let value = members.first(where: { $0.name == name })?.value, value != .null else { return nil }
        return value
    }

    /// The text of `name`, with 1 to `limit` bytes.
    public mutating func optionalText(_ name: String, limit: Int = 1000) throws(JSONFieldError) -> String? {
        guard let value = optional(name) else { return nil }
        guard let text = value.text else { throw fault(name, "expected text") }
        guard (1...limit).contains(text.utf8.count) else { throw fault(name, "expected 1 to \(limit) bytes of text") }
        return text
    }

    /// The text of `name`, which is required.
    public mutating func text(_ name: String, limit: Int = 1000) throws(JSONFieldError) -> String {
        guard let text = try optionalText(name, limit: limit) else { throw fault(name, "is required") }
        return text
    }

    /// True or false.
    public mutating func optionalFlag(_ name: String) throws(JSONFieldError) -> Bool? {
        guard let value = optional(name) else { return nil }
        guard let flag = value.bool else { throw fault(name, "expected true or false") }
        return flag
    }

    /// A number in `range`.
    public mutating func optionalNumber(
        _ name: String, in range: ClosedRange<Double>
    ) throws(JSONFieldError) -> Double? {
        guard let value = optional(name) else { return nil }
        guard let number = value.number else { throw fault(name, "expected a number") }
        guard range.contains(number) else {
            throw fault(name, "must be between \(range.lowerBound) and \(range.upperBound)")
        }
        return number
    }

    /// One of the cases of an enumeration, by its raw value.
    public mutating func optionalCase<Value: RawRepresentable & CaseIterable>(
        _ name: String, _: Value.Type = Value.self
    ) throws(JSONFieldError) -> Value? where Value.RawValue == String {
        guard let text = try optionalText(name) else { return nil }
        guard let value = Value(rawValue: text) else {
            throw fault(name, "expected one of \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return value
    }

    /// A list with at most `limit` elements; empty if it is missing.
    public mutating func list(_ name: String, limit: Int) throws(JSONFieldError) -> [JSON] {
        guard let value = optional(name) else { return [] }
        guard let elements = value.elements else { throw fault(name, "expected a list") }
        guard elements.count <= limit else { throw fault(name, "more than \(limit) elements") }
        return elements
    }

    /// An object of texts, in order, with at most `limit` members; empty if it is missing.
    public mutating func texts(_ name: String, limit: Int = 32) throws(JSONFieldError) -> [(
        name: String, value: String
    )] {
        guard let value = optional(name) else { return [] }
        var inner = try JSONFields(value, path: path(of: name))
        guard inner.members.count <= limit else { throw fault(name, "more than \(limit) members") }
        var pairs: [(name: String, value: String)] = []
        for member in inner.members { pairs.append((member.name, try inner.text(member.name))) }
        return pairs
    }

    /// Throws an error for the first field that was not read.
    public func finish() throws(JSONFieldError) {
        if let member = members.first(where: { !asked.contains($0.name) }) {
            throw fault(member.name, "unknown field")
        }
    }
}
