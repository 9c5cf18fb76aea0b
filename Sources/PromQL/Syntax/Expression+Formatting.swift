extension Expression {
    /// The expression on several lines, none longer than `width` bytes if it can be split.
    ///
    /// Operators are on lines of their own, their operands indented; arguments one to a line.
    public func pretty(width: Int = 100) -> String { pretty(level: 0, width: width) }

    /// The text, if the previous line was broken at indentation `level`; level 0 means that it was not.
    private func pretty(level: Int, width: Int) -> String {
        let indent = String(repeating: "  ", count: level)
        let line = description
        let fits = line.utf8.count <= width
        func inner(_ expression: Expression) -> String { expression.pretty(level: level + 1, width: width) }

        switch self {
        case .number, .string, .vectorSelector, .matrixSelector: return indent + line
        case .unary(let node):
            let operand = node.expression.pretty(level: level, width: width)
            return indent + node.operator.rawValue + operand.drop { $0 == " " }
        // Prometheus omits the indentation here.
        case .subquery where fits: return line
        case .subquery(let node): return node.expression.pretty(level: level, width: width) + node.suffix
        case .call, .aggregate, .binary, .paren:
            if fits { return indent + line }
        }
        switch self {
        case .call(let node):
            return "\(indent)\(node.function)(\n\(node.arguments.map(inner).joined(separator: ",\n"))\n\(indent))"
        case .aggregate(let node):
            let parameter = node.parameter.map { inner($0) + ",\n" } ?? ""
            return "\(indent)\(node.heading)(\n\(parameter)\(inner(node.expression))\n\(indent))"
        case .binary(let node):
            return "\(inner(node.left))\n\(indent)\(node.operation)\n\(inner(node.right))"
        case .paren(let node): return "\(indent)(\n\(inner(node.expression))\n\(indent))"
        default: return indent + line
        }
    }
}
