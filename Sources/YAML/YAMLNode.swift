/// A node of a YAML document with its position.
public struct YAMLNode: Equatable, Sendable {
    /// The content of a node. Aliases and merge keys are resolved.
    public indirect enum Content: Equatable, Sendable {
        /// Text. `isPlain` if it was written without quotes, so that it may be `null`, a number or a boolean.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        /// Pairs in their order; keys are unique.
        case mapping([Member])
    }

    /// A key with its value.
    public struct Member: Equatable, Sendable {
        /// The key; always a scalar.
        public var key: YAMLNode
        /// The value.
        public var value: YAMLNode

        /// The pair of `key` and `value`.
        public init(key: YAMLNode, value: YAMLNode) {
            self.key = key
            self.value = value
        }
    }

    /// The content.
    public var content: Content
    /// The node's first line, from 1.
    public var line: Int
    /// The node's first column, from 1.
    public var column: Int

    /// A node at `line` and `column`.
    public init(content: Content, line: Int, column: Int) {
        self.content = content
        self.line = line
        self.column = column
    }

    /// The text of a scalar, or `nil`.
    public var text: String? {
        if case .scalar(let text, _) = content { text } else { nil }
    }

    /// Whether this is an empty or `null` plain scalar.
    public var isNull: Bool {
        if case .scalar(let text, isPlain: true) = content {
            ["", "~", "null", "Null", "NULL"].contains(text)
        } else {
            false
        }
    }

    /// The elements of a sequence, or `nil`.
    public var elements: [YAMLNode]? {
        if case .sequence(let elements) = content { elements } else { nil }
    }

    /// The pairs of a mapping, or `nil`.
    public var members: [Member]? {
        if case .mapping(let members) = content { members } else { nil }
    }

    /// The value of `key` in a mapping, or `nil`.
    public subscript(key: String) -> YAMLNode? {
        members?.first { $0.key.text == key }?.value
    }

    /// The name of this kind of node in error messages.
    public var kind: String {
        switch content {
        case .scalar: isNull ? "nothing" : "a scalar"
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }
}
