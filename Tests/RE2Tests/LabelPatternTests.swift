import Testing

@testable import RE2

@Suite struct LabelPatternTests {
    @Test(arguments: [
        ("", [""]), ("a", ["a"]), ("a|b", ["a", "b"]), ("(?:a|b)", ["a", "b"]), ("(a|b)", ["a", "b"]),
        ("a|", ["", "a"]), ("b|a|b", ["a", "b"]), (#"a\.b|c\-d"#, ["a.b", "c-d"]), (#"\|"#, ["|"]), (#"a\)"#, ["a)"]),
        (#"(?:a\))"#, ["a)"]), ("é|e\u{301}", ["e\u{301}", "é"]),
    ])
    func listsNeedNoRegularExpression(pattern: String, texts: [String]) throws {
        let listed = try #require(try LabelPattern(pattern).listed)
        #expect(listed.map { Array($0.utf8) } == texts.map { Array($0.utf8) })
    }

    @Test(arguments: [
        "a.b", "a*", "a.*", "(a)|(b)", #"\d"#, #"\pL"#, "a|b.", "^a$", "[ab]", "(?i)a", "(?i:a|b)", "((a|b))", "a{2}",
    ])
    func otherPatternsAreNoLists(pattern: String) throws {
        #expect(try LabelPattern(pattern).listed == nil)
    }

    /// Whatever form a pattern has, it matches like the regular expression.
    @Test(arguments: [
        "", "a", "a|b", "(?:a|b)", "(a)|(b)", "a.*", "a.+", ".*", ".+", #"a\.b"#, #"a\.b.*"#, #"a\.*"#, "a|b.*",
        "(?:a.*)",
        #"\|"#, "a|", "(|a)", "ab|abc", "(?i:A)", #"\(a\)"#, #"a\\.*"#,
    ])
    func everyFormMatchesLikeTheExpression(pattern: String) throws {
        let expression = try RegularExpression(pattern)
        let compiled = try LabelPattern(pattern)
        for value in ["", "a", "b", "ab", "abc", "a.b", "a.bc", "axb", "|", "A", "(a)", "a\nb", #"a\x"#, #"a\"#, "a|b"]
        {
            #expect(compiled.matches(value) == expression.matchesWhole(value), "\(pattern) and \(value)")
        }
    }

    @Test func thousandsOfAlternativesAreFound() throws {
        let pattern = try LabelPattern((0..<10_000).map { "pod-\($0)-abcdefghij" }.joined(separator: "|"))
        #expect(pattern.matches("pod-0-abcdefghij") && pattern.matches("pod-9999-abcdefghij"))
        #expect(!pattern.matches("pod-10000-abcdefghij") && !pattern.matches("pod-1") && !pattern.matches(""))
    }

    @Test func brokenPatternsAreRefused() {
        for pattern in ["(", "a(", "[", #"a\"#, "*", "a|*"] {
            #expect(throws: RegularExpression.PatternError.self) { try LabelPattern(pattern) }
        }
    }
}
