public import MetricModel

extension Expression {
    /// Reads an expression.
    ///
    /// Reports as many errors as possible: after a syntax error, reading continues after it. Types are checked only if
    /// the syntax is correct.
    /// - Complexity: linear in the length of the text, except for compiling regular expressions.
    public static func parse(_ text: String, features: ParserFeatures = .standard) throws(ParseError) -> Expression {
        try parse(utf8: Array(text.utf8), features: features)
    }

    /// Reads an expression from bytes of a client, which may not be UTF-8.
    public static func parse(utf8: [UInt8], features: ParserFeatures = .standard) throws(ParseError) -> Expression {
        var parser = Parser(Lexer(utf8), features: features)
        return try parser.expressionOnly()
    }

    /// Reads a selector of a `match[]` parameter of the API: name and matchers, no modifiers.
    ///
    /// It may select everything; callers that do not allow this check the matchers.
    public static func parseSelector(_ text: String) throws(ParseError) -> [Matcher] {
        var parser = Parser(Lexer(Array(text.utf8)), features: .all)
        return try parser.selectorOnly()
    }
}

/// A recursive descent parser with operator precedence for expressions.
///
/// It reports the errors of Prometheus's generated LALR parser, in the same order. To do so, it
/// - requests the next token only where that parser does, so that lexer errors are reported in the same order;
/// - recovers from syntax errors at the same places: a function that can continue after an error catches it, reports
///   the unexpected token, and continues with the same token. Tokens that do not fit are then skipped without an error,
///   until one fits.
///
/// Types are checked while the tree is built, so that no pass over a deep tree is needed.
struct Parser {
    /// Why a parsing function returns early.
    enum Interruption: Error {
        /// The next token is unexpected. The rule that can recover reports it.
        case unexpectedToken
        /// The text has ended, or continuing is not useful.
        case abandoned
    }

    /// An expression, with the properties that its surroundings need.
    struct Operand {
        var expression: Expression
        var type: ValueType
        /// Height of the tree.
        var depth = 1
        /// A range after something other than a selector. Already reported.
        var isBrokenRange = false

        var range: SourceRange { expression.sourceRange }
    }

    /// The nesting limit of parentheses, calls, signs and powers. It bounds the parser's recursion.
    static let nestingLimit = 500
    /// The limit of the tree's height, including chains of operators. It bounds the recursion of all other code.
    /// Generated dashboards chain more than a thousand `or`; ``WorkerThread`` has the stack for it.
    static let depthLimit = 1500

    let features: ParserFeatures
    private(set) var lexer: Lexer
    private var lookahead: Token?
    /// The last token read, consumed or not: the one that messages name.
    private var latest: Token
    /// The range of the last consumed token.
    private(set) var taken = SourceRange(0, 0)
    /// The end of the last closing bracket or number read, consumed or not.
    private(set) var lastClosing = 0
    /// Whether an error was reported and no token has fitted since.
    private var isRecovering = false
    private var nesting = 0
    private var isTooDeep = false
    /// Syntax errors.
    private var faults: [ParseError.Fault] = []
    /// Type errors, which are reported only if there are no syntax errors.
    var typeFaults: [ParseError.Fault] = []

    init(_ lexer: Lexer, features: ParserFeatures) {
        self.lexer = lexer
        self.features = features
        latest = Token(kind: .end, range: SourceRange(0, 0), text: "")
    }

    mutating func expressionOnly() throws(ParseError) -> Expression {
        if peek().kind == .end {
            report("no expression found in input", at: SourceRange(0, 0))
            throw refusal(faults)
        }
        let operand = whole { parser throws(Interruption) in try parser.expression() }
        return try result(operand?.expression)
    }

    mutating func selectorOnly() throws(ParseError) -> [Matcher] {
        let operand = whole { parser throws(Interruption) in
            guard parser.peek().isMetricName || parser.peek().kind == .leftBrace else {
                throw .unexpectedToken
            }
            let name = parser.peek().isMetricName ? parser.take() : nil
            return try parser.selector(named: name)
        }
        typeFaults = []
        guard case .vectorSelector(let selector) = try result(operand?.expression) else { return [] }
        return selector.matchers
    }

    /// Runs `body`, which must consume the whole text.
    mutating func whole<Value>(_ body: (inout Parser) throws(Interruption) -> Value) -> Value? {
        var value: Value?
        do {
            value = try body(&self)
            if peek().kind != .end { try skipUnexpected() }
        } catch .unexpectedToken {
            recover(in: "", expected: "")
        } catch {
            return nil
        }
        // The rest is only lexed: it may contain errors of its own.
        while !isAtEnd { discard() }
        return value
    }

    /// `value`, or the errors found.
    func result<Value>(_ value: Value?) throws(ParseError) -> Value {
        if !faults.isEmpty { throw refusal(faults) }
        if !typeFaults.isEmpty { throw refusal(typeFaults) }
        guard !isTooDeep, let value else {
            let text = "expression is nested too deeply"
            throw refusal([ParseError.Fault(range: SourceRange(0, 0), text: text)])
        }
        return value
    }

    private func refusal(_ faults: [ParseError.Fault]) -> ParseError {
        ParseError(input: String(decoding: lexer.bytes, as: UTF8.self), faults: faults)
    }
}

// Tokens.
extension Parser {
    /// The next token, not consumed.
    mutating func peek() -> Token {
        if let lookahead { return lookahead }
        let token = lexer.next()
        if token.kind == .failure { report(token.text, at: token.range) }
        switch token.kind {
        case .rightParen, .rightBrace, .rightBracket, .number, .duration: lastClosing = token.range.end
        default: break
        }
        lookahead = token
        latest = token
        return token
    }

    /// Consumes the next token, because it fits.
    @discardableResult
    mutating func take() -> Token {
        let token = peek()
        lookahead = nil
        isRecovering = false
        taken = token.range
        return token
    }

    /// Consumes the next token if it is of this kind.
    mutating func accept(_ kind: Token.Kind) -> Token? { peek().kind == kind ? take() : nil }

    /// Consumes the next token, which must be of this kind.
    @discardableResult
    mutating func expect(_ kind: Token.Kind) throws(Interruption) -> Token {
        while true {
            if let token = accept(kind) { return token }
            try skipUnexpected()
        }
    }

    /// Skips a token that does not fit if an error was just reported; otherwise ends the current function.
    mutating func skipUnexpected() throws(Interruption) {
        guard isRecovering else { throw .unexpectedToken }
        if isAtEnd { throw .abandoned }
        discard()
    }

    private var isAtEnd: Bool { [.end, .failure].contains(lookahead?.kind) }

    private mutating func discard() {
        lookahead = nil
        _ = peek()
    }
}

// Faults.
extension Parser {
    mutating func report(_ text: String, at range: SourceRange) {
        faults.append(ParseError.Fault(range: range, text: text))
    }

    mutating func reportType(_ text: String, at range: SourceRange) {
        typeFaults.append(ParseError.Fault(range: range, text: text))
    }

    /// Reports the latest token, unless it is a lexer error, which was already reported, and continues with it.
    mutating func recover(in context: String, expected: String) {
        if latest.kind != .failure { reportUnexpected(latest, in: context, expected: expected) }
        isRecovering = true
    }

    mutating func reportUnexpected(_ token: Token, in context: String, expected: String) {
        report(
            "unexpected \(token.summary)" + (context.isEmpty ? "" : " in \(context)")
                + (expected.isEmpty ? "" : ", expected \(expected)"), at: token.range)
    }

    /// The position of the last token. Some errors of values are reported there instead of at the value.
    var latestRange: SourceRange { latest.range }

    /// The range from the start of `first` to the end of `last`.
    func merge(_ first: SourceRange, _ last: SourceRange) -> SourceRange { SourceRange(first.start, last.end) }
}

// Depth.
extension Parser {
    /// Ends parsing because of the depth of the expression.
    mutating func tooDeep() -> Interruption {
        isTooDeep = true
        return .abandoned
    }

    /// Runs `body` one level deeper.
    mutating func nested<Value>(
        _ body: (inout Parser) throws(Interruption) -> Value
    ) throws(Interruption) -> Value {
        guard nesting < Self.nestingLimit else { throw tooDeep() }
        nesting += 1
        defer { nesting -= 1 }
        return try body(&self)
    }

    /// The depth of a tree above `children`. If it is too high, they are replaced by placeholders: parsing continues to
    /// find errors, without the tree.
    mutating func depth(above children: inout [Operand]) -> Int {
        let depth = 1 + (children.map(\.depth).max() ?? 0)
        guard depth > Self.depthLimit else { return depth }
        isTooDeep = true
        for index in children.indices {
            children[index].expression = .number(NumberLiteral(value: 0, range: children[index].range))
            children[index].depth = 1
        }
        return 2
    }
}
