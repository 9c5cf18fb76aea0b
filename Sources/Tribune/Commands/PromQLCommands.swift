internal import JSON
internal import PromQL

/// `tribune promql …`: formats and parses expressions without a server.
enum PromQLCommands {
    static let format = Command(
        "promql format", "Print an expression in its canonical, indented form.", operands: "EXPR", count: 1...1,
        options: [.enabledFeatures], details: "- reads the expression from standard input."
    ) { (invocation) throws(CommandFailure) in
        Console.print(try expression(invocation).pretty(width: 100))
        return 0
    }

    static let parse = Command(
        "promql parse", "Print the syntax tree of an expression as JSON.", operands: "EXPR", count: 1...1,
        options: [.enabledFeatures], details: "- reads the expression from standard input."
    ) { (invocation) throws(CommandFailure) in
        Console.print(try expression(invocation).apiJSON.encoded)
        return 0
    }

    private static func expression(_ invocation: Invocation) throws(CommandFailure) -> Expression {
        let operand = invocation.operands[0]
        let text = operand == "-" ? try Console.standardInput() : operand
        let features = try invocation.features().parser
        do throws(ParseError) {
            return try Expression.parse(text, features: features)
        } catch {
            throw CommandFailure(error.description)
        }
    }
}
