/// The syntax tree of a template.
enum TemplateSyntax {
    static let keywords: Set<String> = [
        "block", "break", "continue", "define", "else", "end", "if", "range", "nil", "template", "with",
    ]

    indirect enum Node: Equatable, Sendable {
        case text(String)
        case action(Pipeline)
        case conditional(Branch)
        case with(Branch)
        case range(Branch)
        case template(name: String, argument: Pipeline?, offset: Int)
        case breakLoop
        case continueLoop
    }

    /// The names of the templates that `nodes` call.
    static func called(by nodes: [Node]) -> [String] {
        nodes.flatMap { node -> [String] in
            switch node {
            case .template(let name, _, _): [name]
            case .conditional(let branch), .with(let branch), .range(let branch):
                called(by: branch.body) + called(by: branch.otherwise)
            case .text, .action, .breakLoop, .continueLoop: []
            }
        }
    }

    /// The common form of `if`, `with` and `range`.
    struct Branch: Equatable, Sendable {
        var pipeline: Pipeline
        var body: [Node]
        var otherwise: [Node]
    }

    struct Pipeline: Equatable, Sendable {
        /// Variables that are declared, or assigned if `assigns` is true.
        var variables: [String] = []
        var assigns = false
        var commands: [Command] = []
        var offset: Int
    }

    struct Command: Equatable, Sendable {
        /// The first operand is the one called. Never empty.
        var operands: [Operand]
        var offset: Int { operands[0].offset }
    }

    struct Operand: Equatable, Sendable {
        indirect enum Kind: Equatable, Sendable {
            case dot
            case nothing
            case bool(Bool)
            case number(GoNumber, source: String)
            case string(String, source: String)
            case function(String)
            case field([String])
            case variable(String, fields: [String])
            case pipeline(Pipeline)
            /// Fields of the result of another operand.
            case chain(Operand, fields: [String])
        }

        var kind: Kind
        var offset: Int
    }
}

// How error messages quote parts of a template.

extension TemplateSyntax.Pipeline: CustomStringConvertible {
    var description: String {
        let declaration = variables.isEmpty ? "" : variables.joined(separator: ", ") + (assigns ? " = " : " := ")
        return declaration + commands.map(\.description).joined(separator: " | ")
    }
}

extension TemplateSyntax.Command: CustomStringConvertible {
    var description: String { operands.map(\.description).joined(separator: " ") }
}

extension TemplateSyntax.Operand: CustomStringConvertible {
    var description: String {
        switch kind {
        case .dot: "."
        case .nothing: "nil"
        case .bool(let value): value ? "true" : "false"
        case .number(_, let source), .string(_, let source): source
        case .function(let name): name
        case .field(let names): names.map { "." + $0 }.joined()
        case .variable(let name, let fields): ([name] + fields).joined(separator: ".")
        case .pipeline(let pipeline): "(\(pipeline))"
        case .chain(let operand, let fields): operand.description + fields.map { "." + $0 }.joined()
        }
    }
}
