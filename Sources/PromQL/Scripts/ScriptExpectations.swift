internal import MetricModel
internal import RE2

/// Collects the expectation lines of one `eval` command.
struct ScriptExpectations {
    private enum Level { case warning, info }

    private var rows: [SeriesNotation] = []
    private var scalar: Double?
    private var string: String?
    private var window: (start: Timestamp, end: Timestamp, step: Milliseconds)?
    private var isOrdered = false
    private var mustFail = false
    /// Whether `expect fail` was seen; `eval_fail` does not count.
    private var sawFail = false
    private var failure: TextExpectation?
    private var warnings = AnnotationExpectation.any
    private var infos = AnnotationExpectation.any

    /// The expectation in the command itself: `eval_fail` and similar commands are old forms of expectation lines.
    init(command: String) {
        switch command {
        case "eval_fail": mustFail = true
        case "eval_warn": warnings = .some([])
        case "eval_info": infos = .some([])
        case "eval_ordered": isOrdered = true
        default: break
        }
    }

    /// Adds a line. Returns true if the block ends with it.
    mutating func add(_ line: String) throws(ScriptFault) -> Bool {
        var words = ScriptWords(line)
        switch words.next() {
        case "expect" where !words.rest.isEmpty: try expect(words)
        case "expected_fail_message" where mustFail: failure = .exactly(words.rest)
        case "expected_fail_regexp" where mustFail: failure = try pattern(words.rest)
        default:
            // Anything that is not a number is a row. Errors in it are reported as errors of a row.
            if let number = try? GoNotation.number(line.unsigned.text) {
                scalar = line.unsigned.isNegative ? -number : number
                return true
            }
            do {
                rows.append(try SeriesNotation(parsing: line))
            } catch {
                throw ScriptFault(error.description)
            }
        }
        return false
    }

    private mutating func expect(_ line: ScriptWords) throws(ScriptFault) {
        var words = line
        switch words.next() {
        case "string": string = try quoted(words.rest)
        case "range" where words.first == "vector": window = try rangeVector(words)
        case "ordered" where words.rest.isEmpty: isOrdered = true
        case "fail":
            if sawFail { throw ScriptFault("invalid expect lines, multiple expect fail lines are not allowed") }
            sawFail = true
            mustFail = true
            failure = try text(words.rest) ?? failure
        case "warn": warnings = try adding(try text(words.rest), to: warnings, "warn")
        case "info": infos = try adding(try text(words.rest), to: infos, "info")
        case "no_warn" where words.rest.isEmpty: warnings = try none(warnings, "warn")
        case "no_info" where words.rest.isEmpty: infos = try none(infos, "info")
        default: throw Self.malformed
        }
    }

    private static let malformed = ScriptFault(
        "invalid expect statement, must match `expect <type> <match_type>: <string>` format")

    private func adding(
        _ text: TextExpectation?, to present: AnnotationExpectation, _ name: String
    ) throws(ScriptFault) -> AnnotationExpectation {
        let new = text.map { [$0] } ?? []
        switch present {
        case .any: return .some(new)
        case .some(let texts): return .some(texts + new)
        case .none: throw ScriptFault("invalid expect lines, \(name) and no_\(name) cannot be used together")
        }
    }

    private func none(_ present: AnnotationExpectation, _ name: String) throws(ScriptFault) -> AnnotationExpectation {
        if case .some = present {
            throw ScriptFault("invalid expect lines, \(name) and no_\(name) cannot be used together")
        }
        return .none
    }

    /// `msg: text` or `regex: pattern`; `nil` for nothing.
    private func text(_ rest: String) throws(ScriptFault) -> TextExpectation? {
        if rest.isEmpty { return nil }
        guard let colon = rest.firstIndex(of: ":") else { throw Self.malformed }
        let value = ScriptReader.trimmed(rest[rest.index(after: colon)...])
        switch rest[..<colon] {
        case "msg": return .exactly(value)
        case "regex": return try pattern(value)
        default: throw Self.malformed
        }
    }

    private func pattern(_ text: String) throws(ScriptFault) -> TextExpectation {
        do {
            _ = try RegularExpression(text)
        } catch {
            throw ScriptFault("invalid regexp: \(error.description)")
        }
        return .matching(text)
    }

    private func quoted(_ text: String) throws(ScriptFault) -> String {
        var lexer = Lexer(Array(text.utf8))
        let token = lexer.next()
        guard token.kind == .string, token.range.end == text.utf8.count else {
            throw ScriptFault("expected string literal not valid - a quoted string literal is required")
        }
        return String(decoding: GoNotation.unquoted(lexer.bytes[...]), as: UTF8.self)
    }

    private func rangeVector(
        _ line: ScriptWords
    ) throws(ScriptFault) -> (start: Timestamp, end: Timestamp, step: Milliseconds) {
        var words = line
        _ = words.next()
        try words.expect("from")
        let start = try ScriptReader.time(words.next())
        try words.expect("to")
        let end = try ScriptReader.time(words.next())
        try words.expect("step")
        let step = try ScriptReader.duration(words.rest, "step")
        guard start <= end, step > .zero else { throw ScriptFault("invalid range vector definition") }
        return (start, end, step)
    }

    /// The case described by the lines.
    func evaluation(
        of expression: Expression, text: String, times: ScriptEvaluation.Times
    ) throws(ScriptFault) -> ScriptEvaluation {
        var evaluation = ScriptEvaluation(
            text: text, expression: expression, times: times, outcome: .series(rows), isOrdered: isOrdered,
            warnings: warnings, infos: infos)
        if mustFail {
            evaluation.outcome = .failure(failure)
        } else if let string {
            evaluation.outcome = .string(string)
        } else if let scalar {
            evaluation.outcome = .scalar(scalar)
        } else if let window {
            evaluation.outcome = .rangeVector(rows, start: window.start, step: window.step)
            evaluation.times = .instant(window.end)
        }
        try check(evaluation)
        return evaluation
    }

    private func check(_ evaluation: ScriptEvaluation) throws(ScriptFault) {
        switch evaluation.times {
        case .instant:
            guard window == nil, let row = rows.first(where: { $0.values.count != 1 }) else { return }
            throw ScriptFault("expected one value for \(row.labels), got \(row.values.count)")
        case .range(let start, let end, let step):
            if window != nil || isOrdered {
                throw ScriptFault("range queries have neither an order nor range vectors as results")
            }
            let points = (end - start).rawValue / step.rawValue + 1
            if let row = rows.first(where: { $0.values.count > points }) {
                throw ScriptFault(
                    "expected \(row.values.count) points for \(row.labels), "
                        + "but query time range cannot return this many points")
            }
        }
    }
}

extension String {
    /// The text without its sign.
    fileprivate var unsigned: (text: String, isNegative: Bool) {
        switch utf8.first {
        case UInt8(ascii: "-"): (String(dropFirst()), true)
        case UInt8(ascii: "+"): (String(dropFirst()), false)
        default: (self, false)
        }
    }
}
