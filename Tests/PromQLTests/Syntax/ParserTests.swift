import JSON
import MetricModel
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import PromQL

@Suite struct ParserTests {
    private func parse(_ text: String) throws -> PromQL.Expression {
        try PromQL.Expression.parse(text, features: .all)
    }

    private func refusal(_ text: String, features: ParserFeatures = .all) -> String? {
        do {
            _ = try PromQL.Expression.parse(text, features: features)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func operatorsBindFromPowerToOr() throws {
        guard case .binary(let or) = try parse("a or b and c == d + e * f ^ g") else { throw Unexpected() }
        #expect(or.operator == .or)
        guard case .binary(let and) = or.right, case .binary(let equal) = and.right,
            case .binary(let sum) = equal.right, case .binary(let product) = sum.right,
            case .binary(let power) = product.right
        else { throw Unexpected() }
        #expect(
            [and.operator, equal.operator, sum.operator, product.operator, power.operator]
                == [.and, .equal, .add, .multiply, .power])
    }

    @Test func powerAssociatesToTheRightAndMinusToTheLeft() throws {
        guard case .binary(let power) = try parse("a ^ b ^ c"), case .vectorSelector = power.left,
            case .binary(let difference) = try parse("a - b - c"), case .vectorSelector = difference.right
        else { throw Unexpected() }
    }

    @Test func signBindsLooserThanPowerAndTighterThanProduct() throws {
        guard case .unary(let unary) = try parse("-a ^ 2"), case .binary = unary.expression,
            case .binary(let product) = try parse("-a * 2"), case .unary = product.left
        else { throw Unexpected() }
    }

    @Test func trimOperatorsCompare() throws {
        guard case .binary(let trim) = try parse("h </ 1 + 2") else { throw Unexpected() }
        #expect(trim.operator == .trimUpper)
        guard case .binary(let sum) = trim.right else { throw Unexpected() }
        #expect(sum.operator == .add)
        #expect(trim.right.valueType == .scalar)
    }

    @Test(arguments: [
        "and", "or", "unless", "by", "without", "offset", "start", "end", "step", "range", "min_of", "max_of", "sum",
        "limitk", "anchored", "smoothed", "fill", "fill_left", "OR",
    ])
    func keywordsMayNameMetrics(word: String) throws {
        guard case .vectorSelector(let selector) = try parse(word) else { throw Unexpected() }
        #expect(selector.name == word)
    }

    @Test(arguments: ["on", "ignoring", "bool", "group_left", "atan2"])
    func otherKeywordsMayNot(word: String) {
        #expect(refusal(word)?.hasPrefix("1:1: parse error: unexpected <") == true)
    }

    @Test func numbersMayBeOctalHexadecimalAndGrouped() throws {
        let wanted: [(String, Double)] = [
            ("0x1F", 31), ("017", 15), ("018", 18), ("1_000", 1000), ("1e3", 1000), ("iNf", .infinity), (".5e1", 5),
            ("5m", 300), ("1h30m", 5400), ("0x_ff", 255),
        ]
        for (text, value) in wanted {
            guard case .number(let number) = try parse(text) else { throw Unexpected() }
            #expect(number.value == value, "\(text)")
        }
        #expect(refusal("1.5ms") != nil)
        #expect(
            refusal("1e999") == """
                1:1: parse error: error parsing number: strconv.ParseFloat: parsing "1e999": value out of range
                """)
        #expect(refusal("1__0") != nil)
    }

    @Test func offsetTakesOperatorsOnlyInParentheses() throws {
        guard case .binary(let difference) = try parse("foo offset 5m - 8"),
            case .vectorSelector(let plain) = difference.left,
            case .vectorSelector(let computed) = try parse("foo offset (5m - 8)")
        else { throw Unexpected() }
        #expect(plain.offset == .fixed(.minutes(5)))
        guard case .computed(.binary(.subtract, _, _, wrapped: true, _)) = computed.offset else {
            throw Unexpected()
        }
    }

    @Test func fillModifiersGiveValuesToMissingSides() throws {
        guard case .binary(let node) = try parse("a + on (x) group_left fill_left (-1) fill_right (2) b") else {
            throw Unexpected()
        }
        #expect(node.matching?.fillLeft == -1)
        #expect(node.matching?.fillRight == 2)
        #expect(node.matching?.cardinality == .manyToOne)
        #expect(
            refusal("a + fill (1) b", features: .standard)
                == "1:1: parse error: binop fill modifiers are experimental and not enabled")
        #expect(
            refusal("a and fill (1) b")
                == "1:1: parse error: filling in missing series not allowed for set operators")
    }

    @Test func disabledFeaturesAreRefusedByName() {
        #expect(
            refusal("mad_over_time(a[5m])", features: .standard)
                == "1:1: parse error: function \"mad_over_time\" is not enabled")
        #expect(refusal("limitk(2, a)", features: .standard)?.contains("promql-experimental-functions") == true)
        #expect(
            refusal("rate(a[5m] smoothed)", features: .standard)
                == "1:6: parse error: smoothed modifier is experimental and not enabled")
    }

    @Test func positionsCountLinesAndBytes() {
        #expect(refusal("\"äö\" +\n  foo{") == "2:7: parse error: unexpected end of input inside braces")
    }

    @Test(arguments: [
        ("foo[5m 5m]", "1:8: parse error: unexpected duration \"5m\" in subquery or range, expected \":\" or \"]\""),
        (
            "foo[]",
            "1:5: parse error: unexpected \"]\" in subquery or range selector, "
                + "expected number, duration, step(), or range()"
        ),
        ("foo[5y1hs]", "1:5: parse error: unknown unit \"hs\" in duration \"5y1hs\""),
        ("foo[5m:1m 1m]", "1:11: parse error: unexpected duration \"1m\" in subquery selector, expected \"]\""),
        (
            "foo offset bar",
            "1:12: parse error: unexpected identifier \"bar\" in offset, "
                + "expected number, duration, step(), or range()"
        ),
        ("foo @ bar", "1:7: parse error: unexpected identifier \"bar\" in @, expected timestamp"),
        ("sum(1 2)", "1:7: parse error: unexpected number \"2\" in aggregation"),
        (
            "sum by (a b) (c)",
            "1:11: parse error: unexpected identifier \"b\" in grouping opts, expected \",\" or \")\""
        ),
        ("{a=\"b\" c}", "1:8: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\""),
        (
            "a * on (b) group_left == c",
            "1:23: parse error: unexpected <op:==> in grouping opts, expected \"(\""
        ),
        ("foo offset -9.5e10", "1:12: parse error: duration out of range"),
        ("foo[-9.5e10]", "1:6: parse error: duration out of range"),
        ("foo bar", "1:5: parse error: unexpected identifier \"bar\""),
        ("foo{a=~\"(\"}", "1:5: parse error: error parsing regexp: missing closing ): `(`"),
        ("rate(a)", "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector"),
        ("time() and a", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"),
        ("f!oo", "1:2: parse error: unexpected character after '!': 'o'"),
    ])
    func errorsHaveTheTextsOfPrometheus(text: String, message: String) {
        #expect(refusal(text) == message)
    }

    @Test func readingGoesOnBehindAnError() throws {
        do {
            _ = try parse("sum by (1, b) (foo offset x) + bar{y}")
            throw Unexpected()
        } catch let error as ParseError {
            #expect(
                error.faults.map(\.text) == [
                    "unexpected number \"1\" in grouping opts, expected label",
                    "unexpected identifier \"x\" in offset, expected number, duration, step(), or range()",
                    "unexpected \"}\" in label matching, expected label matching operator",
                ])
        }
    }

    @Test func selectorsOfTheAPIHaveNoModifiers() throws {
        #expect(
            try PromQL.Expression.parseSelector("up{job=~\"a.*\"}")
                == [Matcher("job", .regex, "a.*"), Matcher("__name__", .equal, "up")])
        #expect(throws: ParseError.self) { try PromQL.Expression.parseSelector("up offset 5m") }
        #expect(throws: ParseError.self) { try PromQL.Expression.parseSelector("up[5m]") }
    }

    /// Deep expressions are rejected without a crash, on a thread with the usual stack.
    @Test(arguments: [
        String(repeating: "(", count: 50_000), String(repeating: "-", count: 50_000) + "a",
        String(repeating: "a ^ ", count: 50_000) + "a", String(repeating: "a + ", count: 50_000) + "a",
        "a" + String(repeating: "[5m:]", count: 50_000), String(repeating: "sum(", count: 50_000),
        "a[" + String(repeating: "(", count: 50_000), "a[1" + String(repeating: "+1", count: 50_000) + "]",
        "a[" + String(repeating: "-", count: 50_000) + "1]",
        String(repeating: "(", count: 190) + "a" + String(repeating: ")", count: 190),
        Array(repeating: "a", count: 499).joined(separator: " or "),
    ])
    func depthIsBounded(text: String) throws {
        let outcome = Mutex<Result<PromQL.Expression, ParseError>?>(nil)
        let thread = try WorkerThread("deep") {
            let result = Result { () throws(ParseError) in try PromQL.Expression.parse(text, features: .all) }
            outcome.withLock { $0 = result }
        }
        thread.join()
        #expect(outcome.withLock { $0 != nil })
    }

    /// Any bytes parse to a tree or an error.
    @Test func mutatedExpressionsNeverTrap() throws {
        var generator = SeededGenerator()
        let seeds =
            try PromQLCases.cases("parse_cases.json").map { PromQLCases.bytes($0["input"]) }
            .filter { $0.count < 500 } + Self.expressions.map { Array($0.utf8) }
        for _ in 0..<20_000 {
            guard var bytes = seeds.randomElement(using: &generator) else { return }
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                mutate(&bytes, from: seeds, using: &generator)
            }
            do {
                _ = try PromQL.Expression.parse(utf8: bytes, features: .all)
            } catch {
                #expect(!error.description.isEmpty, "seed \(generator.seed)")
            }
        }
    }

    private func mutate(_ bytes: inout [UInt8], from seeds: [[UInt8]], using generator: inout SeededGenerator) {
        let place = Int.random(in: 0...bytes.count, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
        case 1:
            bytes.insert(Array("(){}[],:+-*/%^=!~@#\"'`<>\\.".utf8).randomElement(using: &generator) ?? 0, at: place)
        case 2: bytes.removeSubrange(place..<min(place + 3, bytes.count))
        case 3: bytes.insert(contentsOf: bytes[..<place], at: place)
        default:
            let other = seeds.randomElement(using: &generator) ?? []
            bytes.insert(contentsOf: other.suffix(Int.random(in: 0...other.count, using: &generator)), at: place)
        }
    }

    private static let expressions = [
        "sum by (a, \"b.c\") (rate({\"x.y\", z=~\"q\"}[5m:30s] offset -1h @ start()))",
        "a + bool on (x) group_left (y) fill (0x1f) b[max_of(step(), 5s) - range()] smoothed",
        "histogram_quantile(.9, -h </ 3 ^ 2) @ 1.5e3 # comment",
    ]

    private struct Unexpected: Error {}
}
