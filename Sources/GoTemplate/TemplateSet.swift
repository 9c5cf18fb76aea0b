/// The source text of a template, for error messages.
struct TemplateSource: Sendable {
    var name: String
    var text: String

    /// The line (from 1) and the column (from 0) of the byte at `offset`.
    func place(of offset: Int) -> (line: Int, column: Int) {
        let before = text.utf8.prefix(offset)
        let line = 1 + before.count { $0 == UInt8(ascii: "\n") }
        return (line, before.reversed().prefix { $0 != UInt8(ascii: "\n") }.count)
    }
}

/// A template that others can call by name.
struct TemplateDefinition: Sendable {
    var nodes: [TemplateSyntax.Node]
    var source: TemplateSource

    /// Whether it prints only blanks. As in Go, such a definition does not replace another one.
    var isBlank: Bool {
        nodes.allSatisfy { node in
            if case .text(let text) = node { text.utf8.allSatisfy { $0 <= 0x20 } } else { false }
        }
    }
}

/// Templates of several files that call each other by name. A value; may be shared between threads.
public struct TemplateSet: Sendable {
    private(set) var definitions: [String: TemplateDefinition] = [:]
    let functions: Set<String>

    /// An empty set. Its templates may call Go's own functions and those named in `functions`.
    public init(functions: some Sequence<String>) {
        self.functions = Set(functions).union(TemplateBuiltins.names)
    }

    /// Adds the templates that `text` defines, and the text itself as the template `name`. A later definition replaces
    /// an earlier one.
    public mutating func add(_ text: String, name: String) throws(TemplateError) {
        let source = TemplateSource(name: name, text: text)
        for (name, nodes) in try TemplateParser.parse(text, name: name, functions: functions) {
            let definition = TemplateDefinition(nodes: nodes, source: source)
            if definitions[name] != nil, definition.isBlank, name != source.name { continue }
            definitions[name] = definition
        }
    }

    /// The names of the templates.
    public var names: Set<String> { Set(definitions.keys) }
}
