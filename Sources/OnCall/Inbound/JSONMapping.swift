public import JSON
internal import MetricModel

/// The places of the parts of a problem in a JSON object: JSON pointers (RFC 6901). A value.
public struct JSONMapping: Equatable, Sendable {
    /// A JSON pointer, such as `/alert/id`.
    public struct Pointer: Equatable, Sendable {
        private let tokens: [String]

        /// Reads a pointer; `nil` if it does not begin with `/`.
        public init?(_ text: String) {
            guard text.hasPrefix("/") else { return nil }
            tokens = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map {
                String($0).replacing("~1", with: "/").replacing("~0", with: "~")
            }
        }

        /// The value there; `nil` if there is none.
        public func value(in json: JSON) -> JSON? {
            var json = json
            for token in tokens {
                if let elements = json.elements {
                    guard let index = Int(token), elements.indices.contains(index) else { return nil }
                    json = elements[index]
                } else {
                    guard let member = json[token] else { return nil }
                    json = member
                }
            }
            return json
        }

        /// The value there as text; `nil` for objects, lists and nothing.
        func text(in json: JSON) -> String? {
            switch value(in: json) {
            case .string(let text): text
            case .integer(let number): "\(number)"
            case .number(let number): "\(number)"
            case .bool(let flag): flag ? "true" : "false"
            case .array, .object, .null, nil: nil
            }
        }
    }

    /// The identity of the problem.
    public var key: Pointer
    /// Its title.
    public var title: Pointer
    /// Its severity.
    public var severity: Pointer?
    /// A link.
    public var url: Pointer?
    /// The place of the status, and the texts that mean that the problem is over.
    public var resolved: (at: Pointer, texts: [String])?

    /// A mapping.
    public init(
        key: Pointer, title: Pointer, severity: Pointer? = nil, url: Pointer? = nil,
        resolved: (at: Pointer, texts: [String])? = nil
    ) {
        self.key = key
        self.title = title
        self.severity = severity
        self.url = url
        self.resolved = resolved
    }

    /// Whether both read the same.
    public static func == (left: JSONMapping, right: JSONMapping) -> Bool {
        left.key == right.key && left.title == right.title && left.severity == right.severity && left.url == right.url
            && left.resolved?.at == right.resolved?.at && left.resolved?.texts == right.resolved?.texts
    }

    func signal(in json: JSON, of integration: InboundIntegration) throws(InboundError) -> Signal {
        guard let id = key.text(in: json), !id.isEmpty else {
            throw InboundError("there is nothing where the key should be")
        }
        guard id.utf8.count <= PagerDutyEvent.keyLimit else {
            throw InboundError("the key is longer than \(PagerDutyEvent.keyLimit) bytes")
        }
        let key = integration.problemKey(id)
        if let resolved, let state = resolved.at.text(in: json), resolved.texts.contains(state) {
            return .resolve(key: key)
        }
        let severity = severity?.text(in: json) ?? ""
        return .trigger(
            Problem(
                key: key, title: title.text(in: json) ?? "", severity: severity, source: integration.source,
                url: url?.text(in: json) ?? "", policy: integration.choice.policy(of: severity)))
    }
}
