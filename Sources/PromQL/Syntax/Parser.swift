public import MetricModel

extension Expression {
    /// Reads an expression.
    ///
    /// All faults are reported that can be found: after a syntax error reading goes on behind it. The types are checked
    /// only when the syntax is right.
    /// - Complexity: linear in the length of the text, apart from the compilation of regular expressions.
    public static func parse(_ text: String, features: ParserFeatures = .standard) throws(ParseError) -> Expression {
        try parse(utf8: Array(text.utf8), features: features)
    }

    /// Reads an expression from bytes that may not be UTF-8, as peers send them.
    public static func parse(utf8: [UInt8], features: ParserFeatures = .standard) throws(ParseError) -> Expression {
        var parser = Parser(Lexer(utf8), features: features)
        return try parser.expressionOnly()
    }

    /// Reads a selector as the `match[]` parameters of the API hold one: name and matchers, no modifiers.
    ///
    /// It may select everything; callers that do not want that check the matchers.
    public static func parseSelector(_ text: String) throws(ParseError) -> [Matcher] {
        var parser = Parser(Lexer(Array(text.utf8)), features: .all)
        return try parser.selectorOnly()
    }
}

/// A recursive descent parser with operator precedence for expressions.
///
/// It reports what Prometheus's generated LALR parser reports, in the same order. For that it
/// - asks for the next token only where that parser does, so that lexer errors are reported in the same order;
/// - recovers from syntax errors at the same places: a function that can carry on after an error catches it, reports
///   the token at fault, and goes on with the same token; what does not fit then is skipped without further report
///   until some token fits.
///
/// Types are checked while the tree grows, so that no pass over a deep tree is needed.
struct Parser {
    /// How a parsing function ends early.
    enum Interruption: Error {
        /// The next token is unexpected; the rule that can recover reports it.
        case unexpectedToken
        /// Nothing is left to read, or reading on makes no sense.
        case abandoned
    }

    /// An expression with what its surroundings need to know about it.
    struct Operand {
        var expression: Expression
        var type: ValueType
        /// Height of the tree.
        var depth = 1
        /// A range that was put on something other than a selector; reported already.
        var isBrokenRange = false

        var range: SourceRange { expression.sourceRange }
    }

    /// How deep expressions may nest in parentheses, calls, signs and powers, which bounds the parser's recursion.
    static let nestingLimit = 500
    /// How high a tree may become, chains of operators included, which bounds the recursion of all other code.
    /// Generated dashboards chain more than a thousand `or`; ``WorkerThread`` has the stack for it.
    static let depthLimit = 1500

    let features: ParserFeatures
    private(set) var lexer: Lexer
    private var lookahead: Token?
    /// The token read last, used or not: the one that messages name.
    private var latest: Token
    /// The range of the token taken last.
    private(set) var taken = SourceRange(0, 0)
    /// The end of the closing bracket or number read last, used or not.
    private(set) var lastClosing = 0
    /// Whether an error was reported and no token has fitted since.
    private var isRecovering = false
    private var nesting = 0
    private var isTooDeep = false
    /// Faults in the syntax.
    private var faults: [ParseError.Fault] = []
    /// Faults in the types, which count only where the syntax has none.
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

    /// Runs `body`, which must use up the text.
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
        // The rest is only lexed: it may hold faults of its own.
        while !isAtEnd { discard() }
        return value
    }

    /// `value`, or the faults found.
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
    /// The next token, without consuming it.
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

    /// Takes the next token because it fits.
    @discardableResult
    mutating func take() -> Token {
        let token = peek()
        lookahead = nil
        isRecovering = false
        taken = token.range
        return token
    }

    /// Takes the next token if it is of this kind.
    mutating func accept(_ kind: Token.Kind) -> Token? { peek().kind == kind ? take() : nil }

    /// Takes the next token, which must be of this kind.
    @discardableResult
    mutating func expect(_ kind: Token.Kind) throws(Interruption) -> Token {
        while true {
            if let token = accept(kind) { return token }
            try skipUnexpected()
        }
    }

    /// Skips a token that does not fit where an error was just reported; else ends the current function.
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

    /// Reports the latest token, unless it is a fault of the lexer and thus reported, and carries on with it.
    mutating func recover(in context: String, expected: String) {
        if latest.kind != .failure { reportUnexpected(latest, in: context, expected: expected) }
        isRecovering = true
    }

    mutating func reportUnexpected(_ token: Token, in context: String, expected: String) {
        report(
            "unexpected \(token.summary)" + (context.isEmpty ? "" : " in \(context)")
                + (expected.isEmpty ? "" : ", expected \(expected)"), at: token.range)
    }

    /// The position of the last token. Some errors of values are reported there rather than at the value.
    var latestRange: SourceRange { latest.range }

    /// The range from the start of `first` to the end of `last`.
    func merge(_ first: SourceRange, _ last: SourceRange) -> SourceRange { SourceRange(first.start, last.end) }
}

// Depth.
extension Parser {
    /// Ends everything because of the depth of the expression.
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

    /// The depth of a tree above `children`, which are replaced by placeholders where it becomes too high: parsing goes
    /// on for the sake of its faults, without the tree.
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
