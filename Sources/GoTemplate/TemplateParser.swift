/// Builds the syntax tree of a template from its tokens.
struct TemplateParser {
    /// The nesting limit of actions and parentheses.
    private static let deepestNesting = 100

    private let name: String
    private let text: String
    private let functions: Set<String>
    private let tokens: [TemplateToken]
    private var position = 0
    private var variables = ["$"]
    private var loops = 0
    private var depth = 0
    private var definitions: [String: [TemplateSyntax.Node]] = [:]

    private init(_ text: String, name: String, functions: Set<String>) {
        self.name = name
        self.text = text
        self.functions = functions
        tokens = TemplateLexer.tokens(of: text)
    }

    /// The templates that `text` defines, and the text itself as the template `name`.
    static func parse(
        _ text: String, name: String, functions: Set<String>
    ) throws(TemplateError) -> [String: [TemplateSyntax.Node]] {
        var parser = TemplateParser(text, name: name, functions: functions)
        let (nodes, ended) = try parser.list()
        if let ended {
            _ = try parser.expect(.rightDelimiter, in: ended.text)
            throw parser.fault("unexpected {{\(ended.text)}}", at: ended)
        }
        parser.definitions[name] = nodes
        return parser.definitions
    }

    // MARK: Tokens

    private var current: TemplateToken { tokens[min(position, tokens.count - 1)] }

    private mutating func next() -> TemplateToken {
        let token = current
        position += 1
        return token
    }

    private mutating func skipSpaces() {
        while current.kind == .space { position += 1 }
    }

    private mutating func nextAfterSpaces() -> TemplateToken {
        skipSpaces()
        return next()
    }

    private func fault(_ message: String, at token: TemplateToken) -> TemplateError {
        let line = 1 + text.utf8.prefix(token.offset).count { $0 == UInt8(ascii: "\n") }
        return TemplateError(message: "template: \(name):\(line): \(message)")
    }

    private func unexpected(_ token: TemplateToken, in context: String) -> TemplateError {
        token.kind == .fault
            ? fault(token.text, at: token) : fault("unexpected \(token.described) in \(context)", at: token)
    }

    private mutating func expect(
        _ kind: TemplateToken.Kind, in context: String
    ) throws(TemplateError) -> TemplateToken {
        let token = nextAfterSpaces()
        guard token.kind == kind else { throw unexpected(token, in: context) }
        return token
    }

    private mutating func nested<Result>(
        at token: TemplateToken, _ body: (inout TemplateParser) throws(TemplateError) -> Result
    ) throws(TemplateError) -> Result {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.deepestNesting { throw fault("nested deeper than \(Self.deepestNesting) levels", at: token) }
        return try body(&self)
    }

    // MARK: Nodes

    /// Nodes up to the end of the text, or up to an `else` or `end`, which is consumed and returned.
    private mutating func list() throws(TemplateError) -> (nodes: [TemplateSyntax.Node], ended: TemplateToken?) {
        var nodes: [TemplateSyntax.Node] = []
        while true {
            let token = next()
            switch token.kind {
            case .text: nodes.append(.text(token.text))
            case .leftDelimiter:
                skipSpaces()
                if current.kind == .identifier, ["else", "end"].contains(current.text) { return (nodes, next()) }
                if let node = try action() { nodes.append(node) }
            case .end: return (nodes, nil)
            case .fault: throw fault(token.text, at: token)
            default: throw unexpected(token, in: "input")
            }
        }
    }

    private mutating func action() throws(TemplateError) -> TemplateSyntax.Node? {
        let token = current
        guard token.kind == .identifier else { return try plainAction() }
        switch token.text {
        case "if":
            position += 1
            return .conditional(try branch("if", token))
        case "with":
            position += 1
            return .with(try branch("with", token))
        case "range":
            position += 1
            return .range(try branch("range", token))
        case "break", "continue":
            position += 1
            guard loops > 0 else { throw fault("{{\(token.text)}} outside {{range}}", at: token) }
            _ = try expect(.rightDelimiter, in: "{{\(token.text)}}")
            return token.text == "break" ? .breakLoop : .continueLoop
        case "template":
            position += 1
            return try template()
        case "define":
            position += 1
            try define(token)
            return nil
        case "block":
            position += 1
            return try block(token)
        default: return try plainAction()
        }
    }

    private mutating func plainAction() throws(TemplateError) -> TemplateSyntax.Node {
        .action(try pipeline("command", until: .rightDelimiter))
    }

    private mutating func branch(
        _ keyword: String, _ token: TemplateToken
    ) throws(TemplateError) -> TemplateSyntax.Branch {
        try nested(at: token) { parser throws(TemplateError) in
            let scope = parser.variables.count
            defer { parser.variables.removeLast(parser.variables.count - scope) }
            let pipeline = try parser.pipeline(keyword, until: .rightDelimiter)
            if keyword == "range" { parser.loops += 1 }
            let (body, ended) = try parser.list()
            if keyword == "range" { parser.loops -= 1 }
            guard let ended else { throw parser.unexpectedEnd }
            let otherwise = ended.text == "else" ? try parser.otherwise(keyword) : try parser.closed()
            return TemplateSyntax.Branch(pipeline: pipeline, body: body, otherwise: otherwise)
        }
    }

    private var unexpectedEnd: TemplateError { fault("unexpected EOF", at: tokens[tokens.count - 1]) }

    /// The rest of `{{end}}`.
    private mutating func closed() throws(TemplateError) -> [TemplateSyntax.Node] {
        _ = try expect(.rightDelimiter, in: "end")
        return []
    }

    /// The content after an `else`, up to and including the `{{end}}`.
    private mutating func otherwise(_ keyword: String) throws(TemplateError) -> [TemplateSyntax.Node] {
        skipSpaces()
        let token = current
        if token.kind == .identifier, token.text == keyword, keyword == "if" || keyword == "with" {
            position += 1
            let chained = try branch(keyword, token)
            return [keyword == "if" ? .conditional(chained) : .with(chained)]
        }
        _ = try expect(.rightDelimiter, in: "else")
        let (nodes, ended) = try list()
        guard let ended else { throw unexpectedEnd }
        guard ended.text == "end" else { throw fault("expected end; found {{else}}", at: ended) }
        _ = try closed()
        return nodes
    }

    private mutating func templateName(_ context: String) throws(TemplateError) -> String {
        let token = nextAfterSpaces()
        guard token.kind == .string || token.kind == .rawString else { throw unexpected(token, in: context) }
        return try text(of: token)
    }

    private mutating func template() throws(TemplateError) -> TemplateSyntax.Node {
        skipSpaces()
        let offset = current.offset
        let name = try templateName("template clause")
        skipSpaces()
        if current.kind == .rightDelimiter {
            position += 1
            return .template(name: name, argument: nil, offset: offset)
        }
        let argument = try pipeline("template clause", until: .rightDelimiter)
        return .template(name: name, argument: argument, offset: offset)
    }

    private mutating func define(_ token: TemplateToken) throws(TemplateError) {
        guard depth == 0 else { throw unexpected(token, in: "command") }
        let name = try templateName("define clause")
        _ = try expect(.rightDelimiter, in: "define clause")
        definitions[name] = try definition(token)
    }

    /// A `block` is a `define` that is also called at its position.
    private mutating func block(_ token: TemplateToken) throws(TemplateError) -> TemplateSyntax.Node {
        let name = try templateName("block clause")
        let argument = try pipeline("block clause", until: .rightDelimiter)
        definitions[name] = try definition(token)
        return .template(name: name, argument: argument, offset: token.offset)
    }

    private mutating func definition(_ token: TemplateToken) throws(TemplateError) -> [TemplateSyntax.Node] {
        try nested(at: token) { parser throws(TemplateError) in
            let outer = (parser.variables, parser.loops)
            (parser.variables, parser.loops) = (["$"], 0)
            defer { (parser.variables, parser.loops) = outer }
            let (nodes, ended) = try parser.list()
            guard let ended else { throw parser.unexpectedEnd }
            guard ended.text == "end" else { throw parser.fault("unexpected {{else}} in define clause", at: ended) }
            _ = try parser.closed()
            return nodes
        }
    }
}

// MARK: Pipelines

extension TemplateParser {
    fileprivate mutating func pipeline(
        _ context: String, until end: TemplateToken.Kind
    ) throws(TemplateError) -> TemplateSyntax.Pipeline {
        skipSpaces()
        var pipeline = TemplateSyntax.Pipeline(offset: current.offset)
        try declarations(of: &pipeline, context)
        while true {
            skipSpaces()
            let token = current
            if token.kind == end {
                position += 1
                try check(pipeline, context, token)
                return pipeline
            }
            guard Self.beginsOperand(token.kind) else { throw unexpected(token, in: context) }
            pipeline.commands.append(try command())
        }
    }

    private static func beginsOperand(_ kind: TemplateToken.Kind) -> Bool {
        switch kind {
        case .character, .dot, .field, .identifier, .number, .rawString, .string, .variable, .leftParen: true
        default: false
        }
    }

    /// `$x :=`, `$x =`, and in `range` also `$i, $x :=`.
    private mutating func declarations(
        of pipeline: inout TemplateSyntax.Pipeline, _ context: String
    ) throws(TemplateError) {
        let start = position
        var names: [String] = []
        while current.kind == .variable {
            names.append(next().text)
            skipSpaces()
            switch current.kind {
            case .declare, .assign:
                pipeline.assigns = next().kind == .assign
                pipeline.variables = names
                for name in names where !pipeline.assigns { variables.append(name) }
                for name in names where pipeline.assigns && !variables.contains(name) {
                    throw fault("undefined variable \(GoLiteral.quoted(name))", at: tokens[start])
                }
                return
            case .comma:
                guard context == "range", names.count < 2 else {
                    throw fault("too many declarations in \(context)", at: current)
                }
                position += 1
                skipSpaces()
                guard current.kind == .variable else {
                    throw fault("range can only initialize variables", at: current)
                }
            default:
                position = start
                return
            }
        }
        position = start
    }

    private func check(
        _ pipeline: TemplateSyntax.Pipeline, _ context: String, _ token: TemplateToken
    ) throws(TemplateError) {
        if pipeline.commands.isEmpty { throw fault("missing value for \(context)", at: token) }
        for (index, command) in pipeline.commands.enumerated().dropFirst() {
            switch command.operands[0].kind {
            case .bool, .dot, .nothing, .number, .string:
                throw fault("non executable command in pipeline stage \(index + 1)", at: token)
            case .function, .field, .variable, .pipeline, .chain: continue
            }
        }
    }

    private mutating func command() throws(TemplateError) -> TemplateSyntax.Command {
        var operands: [TemplateSyntax.Operand] = []
        while true {
            skipSpaces()
            let token = current
            if Self.beginsOperand(token.kind) {
                operands.append(try operand())
            }
            switch current.kind {
            case .space: continue
            case .rightDelimiter, .rightParen: break
            case .pipe: position += 1
            default: throw unexpected(current, in: "operand")
            }
            if operands.isEmpty { throw fault("empty command", at: token) }
            return TemplateSyntax.Command(operands: operands)
        }
    }

    private mutating func operand() throws(TemplateError) -> TemplateSyntax.Operand {
        let term = try term()
        guard current.kind == .field else { return term }
        let offset = current.offset
        var fields: [String] = []
        while current.kind == .field { fields.append(String(next().text.dropFirst())) }
        switch term.kind {
        case .field(let names): return TemplateSyntax.Operand(kind: .field(names + fields), offset: offset)
        case .variable(let name, let names):
            return TemplateSyntax.Operand(kind: .variable(name, fields: names + fields), offset: offset)
        case .bool, .string, .number, .nothing, .dot:
            throw fault("unexpected . after term \(GoLiteral.quoted(term.description))", at: current)
        case .function, .pipeline, .chain:
            return TemplateSyntax.Operand(kind: .chain(term, fields: fields), offset: offset)
        }
    }

    private mutating func term() throws(TemplateError) -> TemplateSyntax.Operand {
        let token = next()
        let kind: TemplateSyntax.Operand.Kind
        switch token.kind {
        case .dot: kind = .dot
        case .field: kind = .field([String(token.text.dropFirst())])
        case .variable:
            guard variables.contains(token.text) else {
                throw fault("undefined variable \(GoLiteral.quoted(token.text))", at: token)
            }
            kind = .variable(token.text, fields: [])
        case .number:
            guard let number = GoNumber(token.text) else {
                throw fault("integer overflow: \(GoLiteral.quoted(token.text))", at: token)
            }
            kind = .number(number, source: token.text)
        case .character:
            guard let scalar = GoLiteral.unquoted(token.text)?.unicodeScalars, scalar.count == 1,
                let only = scalar.first
            else { throw fault("malformed character constant: \(token.text)", at: token) }
            kind = .number(.integer(Int64(only.value)), source: token.text)
        case .string, .rawString: kind = .string(try text(of: token), source: token.text)
        case .leftParen:
            kind = .pipeline(
                try nested(at: token) { parser throws(TemplateError) in
                    try parser.pipeline("parenthesized pipeline", until: .rightParen)
                })
        case .identifier: kind = try word(token)
        default: throw unexpected(token, in: "command")
        }
        return TemplateSyntax.Operand(kind: kind, offset: token.offset)
    }

    private func word(_ token: TemplateToken) throws(TemplateError) -> TemplateSyntax.Operand.Kind {
        switch token.text {
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "nil": return .nothing
        default:
            if TemplateSyntax.keywords.contains(token.text) { throw unexpected(token, in: "command") }
            guard functions.contains(token.text) else {
                throw fault("function \(GoLiteral.quoted(token.text)) not defined", at: token)
            }
            return .function(token.text)
        }
    }

    fileprivate func text(of token: TemplateToken) throws(TemplateError) -> String {
        if token.kind == .rawString {
            return String(token.text.dropFirst().dropLast()).filter { $0 != "\r" }
        }
        guard let text = GoLiteral.unquoted(token.text) else { throw fault("invalid syntax", at: token) }
        return text
    }
}
