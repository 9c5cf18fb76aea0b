import RE2
import Testing

@Suite struct RegularExpressionTests {
    @Test func wholeMatchesAreAnchoredAtBothEnds() throws {
        let expression = try RegularExpression("a.c|b")
        #expect(expression.matchesWhole("abc"))
        #expect(expression.matchesWhole("a\nc"))
        #expect(!expression.matchesWhole("xabc"))
        #expect(!expression.matchesWhole("bb"))
        #expect(expression.matchesAnywhere("xxbxx"))
        #expect(try RegularExpression("").matchesWhole(""))
    }

    @Test(arguments: [
        ("(.*)-(?P<n>\\d+)", "web-12", "$2:${1}:${n}", "12:web:12"),
        ("(a)(b)?", "a", "[$1$2]", "[a]"),
        ("(.+)", "x", "$1x", ""),
        ("(.+)", "x", "${1}x$$", "xx$"),
        ("(.+)", "x", "$9${9}", ""),
        ("(.+)", "x", "100%$", "100%$"),
    ])
    func templatesExpandLikeGo(pattern: String, text: String, template: String, expected: String) throws {
        #expect(try RegularExpression(pattern).expandWhole(text, template: template) == expected)
    }

    @Test func whatDoesNotMatchIsNotExpanded() throws {
        #expect(try RegularExpression("(a+)").expandWhole("ab", template: "$1") == nil)
    }

    /// Expected texts are those of Go's `regexp.ReplaceAllString`.
    @Test(arguments: [
        ("a*", "baaac", "x", "xbxcx"),
        ("b", "abab", "[$0]", "a[b]a[b]"),
        ("", "éa", "-", "-é-a-"),
        ("z", "abc", "x", "abc"),
    ])
    func replacementsMatchGo(pattern: String, text: String, template: String, expected: String) throws {
        #expect(try RegularExpression(pattern).replaceAll(in: text, template: template) == expected)
    }

    @Test func refusedPatternsSayWhy() {
        let error = #expect(throws: RegularExpression.PatternError.self) { try RegularExpression("a(b") }
        #expect(error?.description == "invalid regular expression \"a(b\": missing ): a(b")
    }

    @Test func pathologicalPatternsTakeLinearTime() throws {
        let expression = try RegularExpression("(a*)*b")
        #expect(!expression.matchesWhole(String(repeating: "a", count: 50_000)))
    }
}
