import JSON
import MetricModel
import TestSupport
import Testing

@testable import PromQL

@Suite struct ParserConformanceTests {
    /// The cases assume fill modifiers to be off.
    static let features = ParserFeatures(experimentalFunctions: true, extendedRangeSelectors: true)

    @Test(.enabled(if: Conformance.isAvailable))
    func parsesAndRefusesWhatPrometheusDoes() throws {
        for testCase in try PromQLCases.cases("parse_cases.json") {
            let input = PromQLCases.bytes(testCase["input"])
            let name = String(decoding: input, as: UTF8.self).prefix(100)
            switch Result(catching: { try Expression.parse(utf8: input, features: Self.features) }) {
            case .success(let expression):
                #expect(testCase["ok"]?.bool == true, "\(name): accepted")
                if let expected = testCase["ast"] {
                    let got = pruned(tree(expression)).canonical
                    #expect(got == pruned(expected).canonical, "\(name)")
                }
            case .failure(let error as ParseError): try compare(error, with: testCase, name: String(name))
            case .failure(let error): throw error
            }
        }
    }

    private func compare(_ error: ParseError, with testCase: JSON, name: String) throws {
        #expect(testCase["ok"]?.bool == false, "\(name): \(error)")
        let expected = testCase["errors"]?.elements ?? []
        if let total = testCase["errors_total"]?.integer {
            #expect(Int64(error.faults.count) == total, "\(name)")
        } else {
            #expect(error.faults.count == expected.count, "\(name): \(error.faults)")
        }
        for (fault, wanted) in zip(error.faults, expected) {
            #expect(fault.text == wanted["text"]?.text, "\(name)")
            #expect(
                [fault.range.start, fault.range.end]
                    == [wanted["start"], wanted["end"]].map { Int($0?.integer ?? -1) }, "\(name): \(fault.text)")
        }
        if case .string = testCase["input"], let message = testCase["message"]?.text {
            #expect(error.description == message)
        }
    }

    // MARK: The form of the trees in the cases

    private func tree(_ expression: Expression) -> JSON {
        switch expression {
        case .number(let node): return number(node)
        case .string(let node):
            return ["node": "StringLiteral", "Val": PromQLCases.value(node.bytes), "PosRange": range(node.range)]
        case .vectorSelector(let node): return selector(node)
        case .matrixSelector(let node):
            return [
                "node": "MatrixSelector", "VectorSelector": selector(node.selector),
                "Range": fixed(node.window), "RangeExpr": computed(node.window),
                "EndPos": .integer(Int64(node.range.end)),
            ]
        case .subquery(let node):
            return [
                "node": "SubqueryExpr", "Expr": tree(node.expression),
                "Range": fixed(node.window), "RangeExpr": computed(node.window),
                "Step": fixed(node.step), "StepExpr": computed(node.step),
                "OriginalOffset": fixed(node.offset), "OriginalOffsetExpr": computed(node.offset),
                "Timestamp": timestamp(node.at), "StartOrEnd": startOrEnd(node.at),
                "EndPos": .integer(Int64(node.range.end)),
            ]
        case .call(let node):
            return [
                "node": "Call", "Func": .string(node.function), "Args": .array(node.arguments.map(tree)),
                "PosRange": range(node.range),
            ]
        case .aggregate(let node):
            return [
                "node": "AggregateExpr", "Op": .string(node.operator.rawValue), "Expr": tree(node.expression),
                "Param": node.parameter.map(tree) ?? .null, "Grouping": .array(node.grouping.map(JSON.string)),
                "Without": .bool(node.without), "PosRange": range(node.range),
            ]
        case .binary(let node):
            return [
                "node": "BinaryExpr", "Op": .string(node.operator.rawValue), "LHS": tree(node.left),
                "RHS": tree(node.right), "ReturnBool": .bool(node.returnsBool),
                "VectorMatching": node.matching.map(matching) ?? .null,
            ]
        case .unary(let node):
            return [
                "node": "UnaryExpr", "Op": .string(node.operator.rawValue), "Expr": tree(node.expression),
                "StartPos": .integer(Int64(node.range.start)),
            ]
        case .paren(let node):
            return ["node": "ParenExpr", "Expr": tree(node.expression), "PosRange": range(node.range)]
        }
    }

    private func number(_ node: NumberLiteral) -> JSON {
        let value: JSON =
            node.value.isFinite ? .number(node.value) : .string(FloatText.plain(node.value))
        return [
            "node": "NumberLiteral", "Val": value, "Duration": .bool(node.isDuration), "PosRange": range(node.range),
        ]
    }

    private func selector(_ node: VectorSelector) -> JSON {
        // A range selector's modifiers are in its selector, but its end does not move.
        [
            "node": "VectorSelector", "Name": .string(node.name),
            "LabelMatchers": .array(
                node.matchers.map { [.string($0.name), .string($0.operation.rawValue), .string($0.value)] }),
            "OriginalOffset": fixed(node.offset), "OriginalOffsetExpr": computed(node.offset),
            "Timestamp": timestamp(node.at), "StartOrEnd": startOrEnd(node.at),
            "Anchored": .bool(node.rangeExtension == .anchored), "Smoothed": .bool(node.rangeExtension == .smoothed),
            "PosRange": range(node.range),
        ]
    }

    private func matching(_ node: VectorMatching) -> JSON {
        [
            "node": "VectorMatching", "Card": .string(node.cardinality.rawValue),
            "MatchingLabels": .array(node.labels.map { .string($0) }), "On": .bool(node.on),
            "Include": .array(node.include.map { .string($0) }),
        ]
    }

    private func duration(_ node: DurationExpression) -> JSON {
        func form(_ name: String, _ left: JSON, _ right: JSON, _ wrapped: Bool, _ range: SourceRange?) -> JSON {
            [
                "node": "DurationExpr", "Op": .string(name), "LHS": left, "RHS": right, "Wrapped": .bool(wrapped),
                "StartPos": .integer(Int64(range?.start ?? 0)), "EndPos": .integer(Int64(range?.end ?? 0)),
            ]
        }
        switch node {
        case .literal(let literal): return number(literal)
        case .binary(let symbol, let left, let right, let wrapped, _):
            return form(symbol.rawValue, duration(left), duration(right), wrapped, nil)
        case .unary(let symbol, let operand, let wrapped, let range):
            return form(symbol.rawValue, .null, duration(operand), wrapped, range)
        case .step(let wrapped, let range): return form("step", .null, .null, wrapped, range)
        case .queryRange(let wrapped, let range): return form("range", .null, .null, wrapped, range)
        case .minimum(let left, let right, let wrapped, let range):
            return form("min_of", duration(left), duration(right), wrapped, range)
        case .maximum(let left, let right, let wrapped, let range):
            return form("max_of", duration(left), duration(right), wrapped, range)
        }
    }

    private func range(_ range: SourceRange) -> JSON { [.integer(Int64(range.start)), .integer(Int64(range.end))] }

    private func fixed(_ value: DurationValue?) -> JSON {
        if case .fixed(let length) = value { .integer(length.rawValue) } else { .null }
    }

    private func computed(_ value: DurationValue?) -> JSON {
        if case .computed(let expression) = value { duration(expression) } else { .null }
    }

    private func timestamp(_ at: AtModifier?) -> JSON {
        if case .timestamp(let time) = at { .integer(time.milliseconds) } else { .null }
    }

    private func startOrEnd(_ at: AtModifier?) -> JSON {
        switch at {
        case .start: "start"
        case .end: "end"
        default: .null
        }
    }

    /// Without what the cases leave out: false, 0, empty lists and the default matching; and without the ends of signed
    /// durations, which Prometheus does not keep or puts before the closing parenthesis.
    private func pruned(_ value: JSON, inSignedDuration: Bool = false) -> JSON {
        guard case .object(let members) = value else {
            if case .number(let number) = value, let whole = Int64(exactly: number) { return .integer(whole) }
            if case .array(let elements) = value { return .array(elements.map { pruned($0) }) }
            return value
        }
        let isSignedDuration = value["node"]?.text == "DurationExpr" && ["+", "-"].contains(value["Op"]?.text)
        let kept = members.filter { member in
            if isSignedDuration || inSignedDuration, member.name == "EndPos" { return false }
            switch member.value {
            case .null, .bool(false), .array([]), .string(""), .string("one-to-one"), .integer(0), .number(0):
                return false
            case .object: return member.name != "Args"
            default: return true
            }
        }
        return .object(kept.map { JSON.Member($0.name, pruned($0.value, inSignedDuration: isSignedDuration)) })
    }
}
