/// One expansion of a template.
struct TemplateExecution {
    private enum Flow {
        case onward
        case breakLoop
        case continueLoop
    }

    private let template: Template
    private let functions: [String: TemplateFunction]
    private let limits: Template.Limits
    private var output: [UInt8] = []
    /// The position in an HTML document; `nil` for text.
    private var html: HTMLContext?
    private var variables: [(name: String, value: TemplateValue)] = []
    private var steps = 0
    private var depth = 0
    /// The name of the running template, for error messages.
    private var definition = ""

    init(
        template: Template, functions: [String: TemplateFunction], mode: Template.Mode, limits: Template.Limits
    ) {
        self.template = template
        self.functions = functions
        html = mode == .html ? HTMLContext() : nil
        self.limits = limits
    }

    /// The output of the template `definition` for `dot`.
    mutating func run(definition: String, dot: TemplateValue) throws(TemplateError) -> String {
        self.definition = definition
        variables = [("$", dot)]
        _ = try walk(template.definitions[definition]?.nodes ?? [], dot)
        if let html, !html.mayEnd {
            throw TemplateError(
                message: "html/template:\(template.name): ends in a non-text context: \(html.description)")
        }
        return String(decoding: output, as: UTF8.self)
    }

    // MARK: Errors and limits

    private func fault(
        _ message: String, at offset: Int, _ context: some CustomStringConvertible
    ) -> TemplateError {
        let source =
            template.definitions[definition]?.source ?? TemplateSource(name: template.name, text: template.text)
        let (line, column) = source.place(of: offset)
        return TemplateError(
            message: "template: \(source.name):\(line):\(column): executing \(GoLiteral.quoted(definition)) "
                + "at <\(context)>: \(message)")
    }

    private mutating func step(at offset: Int, _ context: some CustomStringConvertible) throws(TemplateError) {
        steps += 1
        if steps > limits.steps { throw fault("more than \(limits.steps) steps", at: offset, context) }
    }

    private mutating func write(_ text: String) throws(TemplateError) {
        guard output.count + text.utf8.count <= limits.bytes else {
            throw TemplateError(
                message: "template: \(template.name): the result is larger than \(limits.bytes) bytes")
        }
        output += Array(text.utf8)
    }

    // MARK: Nodes

    private mutating func walk(_ nodes: [TemplateSyntax.Node], _ dot: TemplateValue) throws(TemplateError) -> Flow {
        for node in nodes {
            let flow = try walk(node, dot)
            if flow != .onward { return flow }
        }
        return .onward
    }

    private mutating func walk(_ node: TemplateSyntax.Node, _ dot: TemplateValue) throws(TemplateError) -> Flow {
        switch node {
        case .text(let text): try write(html == nil ? text : html?.passed(text) ?? "")
        case .action(let pipeline):
            let value = try evaluate(pipeline, dot)
            if pipeline.variables.isEmpty { try print(value, of: pipeline) }
        case .conditional(let branch):
            return try scoped { me throws(TemplateError) in
                let value = try me.evaluate(branch.pipeline, dot)
                return try me.walk(value.isTrue ? branch.body : branch.otherwise, dot)
            }
        case .with(let branch):
            return try scoped { me throws(TemplateError) in
                let value = try me.evaluate(branch.pipeline, dot)
                return value.isTrue ? try me.walk(branch.body, value) : try me.walk(branch.otherwise, dot)
            }
        case .range(let branch): return try scoped { me throws(TemplateError) in try me.loop(branch, dot) }
        case .template(let name, let argument, let offset): try call(name, argument, offset, dot)
        case .breakLoop: return .breakLoop
        case .continueLoop: return .continueLoop
        }
        return .onward
    }

    private mutating func print(
        _ value: TemplateValue, of pipeline: TemplateSyntax.Pipeline
    ) throws(TemplateError) {
        guard html != nil else {
            if case .absent = value { return try write("<no value>") }
            return try write(value.text)
        }
        var escaped = Set<String>()
        for command in pipeline.commands {
            if case .function(let name) = command.operands[0].kind { escaped.insert(name) }
        }
        try write(html?.escaped(value, by: escaped) ?? "")
    }

    /// Runs `body`, then removes the variables that it declared.
    private mutating func scoped(
        _ body: (inout TemplateExecution) throws(TemplateError) -> Flow
    ) throws(TemplateError) -> Flow {
        let count = variables.count
        defer { variables.removeLast(variables.count - count) }
        return try body(&self)
    }

    private mutating func loop(_ branch: TemplateSyntax.Branch, _ dot: TemplateValue) throws(TemplateError) -> Flow {
        let pipeline = branch.pipeline
        let value = try evaluate(pipeline, dot)
        var isEmpty = true
        func pairs() throws(TemplateError) -> any Sequence<(TemplateValue, TemplateValue)> {
            switch value.unwrapped {
            case .list(let elements):
                return elements.enumerated().lazy.map { (.integer(Int64($0.offset)), $0.element) }
            case .map(let entries, _): return TemplateValue.sorted(entries).lazy.map { (.string($0.0), $0.1) }
            case .integer(let count):
                return (0..<max(0, count)).lazy.map { (.integer($0), .integer($0)) }
            case .absent: return []
            case .bool, .float, .string, .object:
                throw fault("range can't iterate over \(value.text)", at: pipeline.offset, pipeline)
            }
        }
        for (key, element) in try pairs() {
            isEmpty = false
            try step(at: pipeline.offset, pipeline)
            let flow = try scoped { me throws(TemplateError) in
                let names = pipeline.variables
                if names.count == 1 { me.bind(names[0], element, pipeline) }
                if names.count == 2 {
                    me.bind(names[0], key, pipeline)
                    me.bind(names[1], element, pipeline)
                }
                return try me.walk(branch.body, element)
            }
            if flow == .breakLoop { break }
        }
        return isEmpty ? try walk(branch.otherwise, dot) : .onward
    }

    private mutating func call(
        _ name: String, _ argument: TemplateSyntax.Pipeline?, _ offset: Int, _ dot: TemplateValue
    ) throws(TemplateError) {
        guard let nodes = template.definitions[name]?.nodes else {
            throw fault(
                "template \(GoLiteral.quoted(name)) not defined", at: offset, Self.clause(name, argument))
        }
        guard depth < limits.depth else {
            throw fault(
                "exceeded maximum template depth (\(limits.depth))", at: offset, Self.clause(name, argument))
        }
        let value = if let argument { try evaluate(argument, dot) } else { TemplateValue.absent }
        let outer = (variables, definition)
        variables = [("$", value)]
        definition = name
        depth += 1
        defer {
            (variables, definition) = outer
            depth -= 1
        }
        _ = try walk(nodes, value)
    }

    private static func clause(_ name: String, _ argument: TemplateSyntax.Pipeline?) -> String {
        "{{template \(GoLiteral.quoted(name))\(argument.map { " \($0)" } ?? "")}}"
    }

    // MARK: Pipelines

    private mutating func bind(_ name: String, _ value: TemplateValue, _ pipeline: TemplateSyntax.Pipeline) {
        if pipeline.assigns, let index = variables.lastIndex(where: { $0.name == name }) {
            variables[index].value = value
        } else {
            variables.append((name, value))
        }
    }

    private mutating func evaluate(
        _ pipeline: TemplateSyntax.Pipeline, _ dot: TemplateValue
    ) throws(TemplateError) -> TemplateValue {
        var value: TemplateValue?
        for command in pipeline.commands {
            value = try evaluate(command, dot, final: value)
        }
        let result = value ?? .absent
        if pipeline.variables.count == 1 { bind(pipeline.variables[0], result, pipeline) }
        return result
    }

    /// Runs one command. `final` is the result of the previous command and becomes the last argument.
    private mutating func evaluate(
        _ command: TemplateSyntax.Command, _ dot: TemplateValue, final: TemplateValue?
    ) throws(TemplateError) -> TemplateValue {
        try step(at: command.offset, command)
        let first = command.operands[0]
        switch first.kind {
        case .function(let name): return try call(name, command, dot, final)
        case .field(let names): return try chain(dot, names, command, dot, final)
        case .chain(let operand, let names):
            return try chain(try evaluate(operand, dot), names, command, dot, final)
        case .variable(let name, let names) where !names.isEmpty:
            return try chain(variable(name), names, command, dot, final)
        case .variable, .pipeline, .dot, .bool, .number, .string, .nothing:
            guard command.operands.count == 1, final == nil else {
                throw fault("can't give argument to non-function \(first)", at: first.offset, first)
            }
            if case .nothing = first.kind { throw fault("nil is not a command", at: first.offset, first) }
            return try evaluate(first, dot)
        }
    }

    private mutating func evaluate(
        _ operand: TemplateSyntax.Operand, _ dot: TemplateValue
    ) throws(TemplateError) -> TemplateValue {
        switch operand.kind {
        case .dot: return dot
        case .nothing: return .absent
        case .bool(let value): return .bool(value)
        case .number(.integer(let value), _): return .integer(value)
        case .number(.float(let value), _): return .float(value)
        case .string(let text, _): return .string(text)
        case .pipeline(let pipeline): return try evaluate(pipeline, dot)
        case .variable(let name, let names) where names.isEmpty: return variable(name)
        case .function, .field, .variable, .chain:
            return try evaluate(TemplateSyntax.Command(operands: [operand]), dot, final: nil)
        }
    }

    private func variable(_ name: String) -> TemplateValue {
        variables.last { $0.name == name }?.value ?? .absent
    }

    private mutating func arguments(
        of command: TemplateSyntax.Command, _ dot: TemplateValue, _ final: TemplateValue?
    ) throws(TemplateError) -> [TemplateValue] {
        var values: [TemplateValue] = []
        for operand in command.operands.dropFirst() { values.append(try evaluate(operand, dot)) }
        if let final { values.append(final) }
        return values
    }

    // MARK: Fields and functions

    /// Follows `names` from `value`. The last one may be a method that takes the command's arguments.
    private mutating func chain(
        _ value: TemplateValue, _ names: [String], _ command: TemplateSyntax.Command, _ dot: TemplateValue,
        _ final: TemplateValue?
    ) throws(TemplateError) -> TemplateValue {
        let first = command.operands[0]
        let values = try arguments(of: command, dot, final)
        var result = value
        for (index, name) in names.enumerated() {
            let given = index == names.count - 1 ? values : []
            do throws(TemplateFailure) {
                result = try Self.member(name, of: result, given)
            } catch {
                throw fault(error.message, at: first.offset, first)
            }
        }
        return result
    }

    private static func member(
        _ name: String, of value: TemplateValue, _ arguments: [TemplateValue]
    ) throws(TemplateFailure) -> TemplateValue {
        switch value {
        case .object(let object):
            if let member = try object.member(name, arguments) { return member }
            if case .map(let entries, let zero) = object.collection, arguments.isEmpty { return entries[name] ?? zero }
        case .map(let entries, let zero):
            guard arguments.isEmpty else {
                throw TemplateFailure("\(name) is not a method but has arguments")
            }
            return entries[name] ?? zero
        case .absent: throw TemplateFailure("nil pointer evaluating interface {}.\(name)")
        case .bool, .integer, .float, .string, .list: break
        }
        throw TemplateFailure("can't evaluate field \(name) in type \(value.typeName)")
    }

    private mutating func call(
        _ name: String, _ command: TemplateSyntax.Command, _ dot: TemplateValue, _ final: TemplateValue?
    ) throws(TemplateError) -> TemplateValue {
        if name == "and" || name == "or" { return try decide(name, command, dot, final) }
        let values = try arguments(of: command, dot, final)
        guard let function = functions[name] ?? TemplateBuiltins.functions[name] else {
            throw fault("\(GoLiteral.quoted(name)) is not a defined function", at: command.offset, name)
        }
        guard function.arity.contains(values.count) else {
            let isFixed = function.arity.lowerBound == function.arity.upperBound
            let wanted = "want \(isFixed ? "" : "at least ")\(function.arity.lowerBound)"
            throw fault(
                "wrong number of args for \(name): \(wanted) got \(values.count)", at: command.offset, name)
        }
        do throws(TemplateFailure) {
            let result = try function.call(values)
            if case .string(let text) = result, text.utf8.count > limits.bytes {
                throw TemplateFailure("the result is larger than \(limits.bytes) bytes")
            }
            return result
        } catch {
            throw fault("error calling \(name): \(error.message)", at: command.offset, command)
        }
    }

    /// `and` and `or` stop at the first argument that determines the result.
    private mutating func decide(
        _ name: String, _ command: TemplateSyntax.Command, _ dot: TemplateValue, _ final: TemplateValue?
    ) throws(TemplateError) -> TemplateValue {
        let deciding = name == "or"
        var result: TemplateValue?
        for operand in command.operands.dropFirst() {
            let value = try evaluate(operand, dot)
            if value.isTrue == deciding { return value }
            result = value
        }
        guard let last = final ?? result else {
            throw fault("wrong number of args for \(name): want at least 1 got 0", at: command.offset, name)
        }
        return last
    }
}
