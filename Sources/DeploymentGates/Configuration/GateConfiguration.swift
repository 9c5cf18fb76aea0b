public import JSON
public import MetricModel
internal import Rollback
public import YAML

/// The section `gates` of `tribune.yml`. A value. Contains secrets, which are never part of a description.
///
/// ```yaml
/// gates:
///   token_file: /run/secrets/gates        # required from callers; without it all requests are refused
///   executor: {url: "https://ci.example/improve", token_file: /run/secrets/executor, timeout: 10s}
///   profiles:
///   - name: shop
///     stable: {version: v1}
///     candidate: {version: v2}
///     metrics:
///     - {name: errors, events: 'http_requests_total{code=~"5.."}', of: http_requests_total}
/// ```
public struct GateConfiguration: Equatable, Sendable {
    /// The web service that carries out improvements.
    public struct Executor: Equatable, Sendable {
        /// The URL for POST requests.
        public var url: String
        /// The bearer token to send; `nil` for none.
        public var token: String?
        /// Timeout of one attempt.
        public var timeout: Milliseconds
    }

    /// The bearer token that callers must send; `nil` refuses all requests.
    public var token: String?
    /// The executor of improvements; `nil` for none.
    public var executor: Executor?
    /// The profiles, selected by name. The first one is the default.
    public var profiles: [GateProfile] = [.acgs]
    /// The query server that the data are read from, or `own` for the own store; `nil` for the server of rules.
    public var query: String?
    /// The queries that find bottlenecks.
    public var bottlenecks = BottleneckQueries()
    /// How improvements of several services are coordinated.
    public var orchestration = OrchestrationConfiguration()

    /// A configuration that refuses all requests.
    public init() {}

    /// Reads the section.
    ///
    /// - Parameter secret: returns the first line of the file at a path from the section, or why it cannot be read.
    public init(
        _ node: YAMLNode, file: String, secret: (String) throws(JSONFieldError) -> String
    ) throws(YAMLError) {
        do throws(JSONFieldError) {
            try self.init(JSON(node), secret: secret)
        } catch {
            let place = node.place(of: error.field) ?? node
            throw YAMLError(
                file: file, line: place.line, column: place.column,
                field: error.field.isEmpty ? "gates" : "gates.\(error.field)", message: error.message)
        }
    }

    private init(_ json: JSON, secret: (String) throws(JSONFieldError) -> String) throws(JSONFieldError) {
        var fields = try JSONFields(json)
        if let path = try fields.optionalText("token_file") {
            token = try Self.secret(path, "token_file", secret)
        }
        query = try fields.optionalText("query")
        if let value = fields.optional("executor") {
            var inner = try JSONFields(value, path: "executor")
            let url = try inner.text("url")
            guard url.hasPrefix("http://") || url.hasPrefix("https://"), !url.utf8.contains(where: { $0 <= 0x20 })
            else { throw inner.fault("url", "expected a URL of http or https") }
            var token: String?
            if let path = try inner.optionalText("token_file") {
                token = try Self.secret(path, "executor.token_file", secret)
            }
            let timeout = try inner.duration("timeout", in: .milliseconds(100)...(.minutes(5))) ?? .seconds(10)
            executor = Executor(url: url, token: token, timeout: timeout)
            try inner.finish()
        }
        let listed = try fields.list("profiles", limit: 100)
        if !listed.isEmpty { profiles = [] }
        for (index, element) in listed.enumerated() {
            var inner = try JSONFields(element, path: "profiles[\(index)]")
            var profile = GateProfile(name: try inner.text("name", limit: 100))
            if let label = try inner.optionalText("service_label") { profile.serviceLabel = label }
            try profile.read(&inner)
            guard !profile.metrics.isEmpty else { throw inner.fault("metrics", "a profile needs metrics") }
            guard !profiles.contains(where: { $0.name == profile.name }) else {
                throw inner.fault("name", "\"\(profile.name)\" appears twice")
            }
            try inner.finish()
            profiles.append(profile)
        }
        if let value = fields.optional("bottlenecks") {
            bottlenecks = try BottleneckQueries(value, path: "bottlenecks")
        }
        if let value = fields.optional("orchestration") {
            orchestration = try OrchestrationConfiguration(value, path: "orchestration")
            guard !orchestration.isEnabled || executor != nil else {
                throw JSONFieldError(field: "orchestration.enabled", message: "needs an executor (gates.executor)")
            }
        }
        try fields.finish()
    }

    private static func secret(
        _ path: String, _ field: String, _ read: (String) throws(JSONFieldError) -> String
    ) throws(JSONFieldError) -> String {
        let word: String
        do throws(JSONFieldError) { word = try read(path) } catch {
            throw JSONFieldError(field: field, message: error.message)
        }
        guard word.utf8.count >= 8 else {
            throw JSONFieldError(field: field, message: "expected a secret of at least 8 bytes in the file")
        }
        return word
    }

    /// Every selector and expression with its field, for callers that can parse them.
    public var selectors: [(field: String, text: String)] {
        profiles.enumerated().flatMap { index, profile in
            profile.metrics.enumerated().flatMap { number, metric in
                metric.source.selectors.map { ("gates.profiles[\(index)].metrics[\(number)].\($0.field)", $0.text) }
            }
        }
    }
}

extension JSON {
    /// The node as JSON. A value without quotes becomes a number, a boolean or null if it looks like one.
    fileprivate init(_ node: YAMLNode) {
        switch node.content {
        case .sequence(let elements): self = .array(elements.map(JSON.init))
        case .mapping(let members): self = .object(members.map { Member($0.key.text ?? "", JSON($0.value)) })
        case .scalar(let text, let isPlain):
            if node.isNull {
                self = .null
            } else if isPlain, text == "true" || text == "false" {
                self = .bool(text == "true")
            } else if isPlain, let number = Double(text), number.isFinite {
                self = .number(number)
            } else {
                self = .string(text)
            }
        }
    }
}

extension YAMLNode {
    /// The node at a path such as `profiles[0].metrics[1].name`, or its nearest existing ancestor.
    fileprivate func place(of path: String) -> YAMLNode? {
        var node = self
        for step in path.split(whereSeparator: { $0 == "." || $0 == "[" }) {
            let next = step.last == "]" ? Int(step.dropLast()).flatMap { node.element($0) } : node[String(step)]
            guard let next else { return node }
            node = next
        }
        return node
    }

    private func element(_ index: Int) -> YAMLNode? {
        guard let elements, elements.indices.contains(index) else { return nil }
        return elements[index]
    }
}
