/// Why a template is invalid or could not be expanded, in the wording of Go's `text/template`.
public struct TemplateError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The reason with its position: `template: summary:1: function "x" not defined`.
    public var message: String

    /// An error with the given text.
    public init(message: String) {
        self.message = message
    }

    /// The reason with its position.
    public var description: String { message }
}

/// A parsed template in the language of Go's `text/template`: pipelines, variables, `if`, `else`, `range`, `with`,
/// `break`, `continue`, `define`, `block`, `template`, comments and trim marks.
///
/// Immutable; may be shared between threads.
public struct Template: Sendable {
    /// Limits for one expansion. It fails if it exceeds one.
    public struct Limits: Equatable, Sendable {
        /// Bytes of the result, and of any intermediate text.
        public var bytes: Int
        /// Commands and loop iterations.
        public var steps: Int
        /// Nesting of `template` calls.
        public var depth: Int

        /// Limits above the needs of any real annotation.
        public init(bytes: Int = 1 << 20, steps: Int = 100_000, depth: Int = 50) {
            self.bytes = bytes
            self.steps = steps
            self.depth = depth
        }
    }

    /// The name in error messages.
    public let name: String
    /// The template as written.
    public let text: String
    let definitions: [String: TemplateDefinition]

    /// Parses `text`, which may call Go's own functions and those named in `functions`.
    public init(_ text: String, name: String, functions: some Sequence<String>) throws(TemplateError) {
        try self.init(text, name: name, in: TemplateSet(functions: functions))
    }

    /// Parses `text`, which may also use the templates of `set`.
    public init(_ text: String, name: String, in set: TemplateSet) throws(TemplateError) {
        self.name = name
        self.text = text
        var set = set
        try set.add(text, name: name)
        definitions = set.definitions
    }

    /// The names of undefined templates that this one calls.
    public var missingTemplates: [String] {
        var missing: [String] = []
        var seen: Set<String> = [name]
        var open = [name]
        while let next = open.popLast() {
            for called in TemplateSyntax.called(by: definitions[next]?.nodes ?? []) where seen.insert(called).inserted {
                if definitions[called] == nil { missing.append(called) } else { open.append(called) }
            }
        }
        return missing
    }

    /// How values are printed.
    public enum Mode: Equatable, Sendable {
        /// Values are printed unchanged, as by Go's `text/template`.
        case text
        /// Values are escaped for their position, as by Go's `html/template`.
        case html
    }

    /// Expands the template for `dot`. A function that was declared when parsing but is missing in `functions` fails
    /// when it is called.
    public func expand(
        _ dot: TemplateValue, functions: [String: TemplateFunction], mode: Mode = .text, limits: Limits = Limits()
    ) throws(TemplateError) -> String {
        var execution = TemplateExecution(template: self, functions: functions, mode: mode, limits: limits)
        return try execution.run(definition: name, dot: dot)
    }
}
