import JSON
import TestSupport
import Testing

@testable import PromQL

@Suite struct PrinterTests {
    @Test(.enabled(if: Conformance.isAvailable))
    func printsAndFormatsAsPrometheusDoes() throws {
        for testCase in try PromQLCases.cases("print_cases.json") {
            let input = testCase["input"]?.text ?? ""
            let expression = try Expression.parse(input, features: .all)
            let width = testCase["width"]?.integer
            let got = width.map { expression.pretty(width: Int($0)) } ?? expression.description
            #expect(got == testCase["expected"]?.text, "\(input)")
        }
    }

    /// A printed expression parses to the same expression.
    @Test(.enabled(if: Conformance.isAvailable))
    func printingSettlesAfterOneRound() throws {
        for testCase in try PromQLCases.cases("parse_cases.json") {
            let input = PromQLCases.bytes(testCase["input"])
            guard let expression = try? Expression.parse(utf8: input, features: .all) else { continue }
            let text = expression.description
            #expect(try Expression.parse(text, features: .all).description == text)
            let pretty = expression.pretty(width: 5)
            #expect(try Expression.parse(pretty, features: .all).description == text, "\(pretty)")
        }
    }

    @Test func namesThatNeedQuotesGetThem() throws {
        let text = "sum by (\"a.b\") ({\"x.y\", \"l.m\"=~\"v\\\"w\"} offset -5m @ 1.5)"
        #expect(
            try Expression.parse(text, features: .all).description
                == "sum by (\"a.b\") ({\"l.m\"=~\"v\\\"w\",__name__=\"x.y\"} @ 1.500 offset -5m)")
    }

    @Test("a selector of everything, which only info takes, is printed with its braces")
    func emptySelectors() throws {
        #expect(try Expression.parse("info(g, {})", features: .all).description == "info(g, {})")
    }

    @Test func treesBecomeJSON() throws {
        let tree = try Expression.parse("a[5m:step()] offset 1m", features: .all).apiJSON
        #expect(
            tree.encoded == """
                {"type":"subquery","expr":{"type":"vectorSelector","name":"a","offset":0,"offsetExpr":null,\
                "matchers":[{"name":"__name__","value":"a","type":"="}],"timestamp":null,"startOrEnd":null,\
                "anchored":false,"smoothed":false},"range":300000,"rangeExpr":null,"offset":60000,"offsetExpr":null,\
                "step":0,"stepExpr":{"type":"durationExpr","op":"step","lhs":null,"rhs":null,"wrapped":false},\
                "timestamp":null,"startOrEnd":null}
                """)
        let matched = try Expression.parse("a > bool on (x) group_left fill (1) b", features: .all).apiJSON
        #expect(
            matched["matching"]?.encoded == """
                {"card":"many-to-one","labels":["x"],"on":true,"include":[],"fillValues":{"lhs":1,"rhs":1}}
                """)
        #expect(matched["bool"]?.bool == true)
        let computed = try Expression.parse("a[5m + step() * 2]", features: .all).apiJSON
        #expect(
            computed["rangeExpr"]?["lhs"]?.encoded == #"{"type":"numberLiteral","val":"300","duration":true}"#)
        #expect(
            computed["rangeExpr"]?["rhs"]?["rhs"]?.encoded
                == #"{"type":"numberLiteral","val":"2","duration":false}"#)
        let call = try Expression.parse("round(-a, Inf)", features: .all).apiJSON
        #expect(
            call["func"]?.encoded == """
                {"name":"round","argTypes":["vector","scalar"],"variadic":1,"returnType":"vector"}
                """)
        #expect(call["args"]?.elements?.last?.encoded == "{\"type\":\"numberLiteral\",\"val\":\"+Inf\"}")
    }
}
