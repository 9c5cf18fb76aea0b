import MetricModel
import Scraper
import Testing

@testable import Scraper

@Suite struct RelabellingTests {
    private func apply(_ labels: Labels, _ rules: (inout RelabelRule) -> Void...) throws -> Labels? {
        try Relabelling(
            rules.map { change in
                var rule = RelabelRule()
                change(&rule)
                return rule
            }
        ).apply(to: labels)
    }

    private let labels: Labels = ["__name__": "m", "a": "foo", "b": "bar", "c": "baz"]

    @Test func replaceWritesTheExpansionOfItsTemplate() throws {
        let result = try apply(labels) { rule in
            rule.sourceLabels = ["a", "b"]
            rule.regex = "f(.*);(?P<rest>.*)"
            rule.targetLabel = "d"
            rule.replacement = "ch${1}-$rest-$$"
        }
        #expect(result?["d"] == "choo-bar-$")
    }

    @Test func replaceExpandsItsTargetAndIsAnchored() throws {
        #expect(
            try apply(labels) { rule in
                rule.sourceLabels = ["a"]
                rule.regex = "(f)oo"
                rule.targetLabel = "x_$1"
                rule.replacement = "y"
            }?["x_f"] == "y")
        #expect(
            try apply(labels) { rule in
                rule.sourceLabels = ["a"]
                rule.regex = "fo"
                rule.targetLabel = "x"
            } == labels)
    }

    @Test func replaceByNothingRemovesTheLabel() throws {
        let result = try apply(labels) { rule in
            rule.sourceLabels = ["absent"]
            rule.targetLabel = "a"
        }
        #expect(result == ["__name__": "m", "b": "bar", "c": "baz"])
    }

    @Test(arguments: [
        (RelabelRule.Action.keep, "foo|x", true), (.keep, "fo", false), (.drop, "foo", false), (.drop, "o+", true),
    ])
    func keepAndDropDecideByTheWholeValue(action: RelabelRule.Action, regex: String, stays: Bool) throws {
        let result = try apply(labels) { rule in
            rule.action = action
            rule.sourceLabels = ["a"]
            rule.regex = regex
        }
        #expect((result != nil) == stays)
    }

    @Test(arguments: [
        (RelabelRule.Action.keepequal, "foo", true), (.keepequal, "bar", false), (.dropequal, "foo", false),
        (.dropequal, "bar", true),
    ])
    func equalityComparesWithTheTargetLabel(action: RelabelRule.Action, value: String, stays: Bool) throws {
        let result = try apply(labels.setting("t", to: value)) { rule in
            rule.action = action
            rule.sourceLabels = ["a"]
            rule.targetLabel = "t"
        }
        #expect((result != nil) == stays)
    }

    /// Computed with Python's hashlib: the last eight bytes of MD5, big end first, modulo 1000.
    @Test func hashmodTakesTheEndOfMD5() throws {
        func hashed(_ sources: [String], _ separator: String) throws -> String? {
            try apply(labels) { rule in
                rule.action = .hashmod
                rule.sourceLabels = sources
                rule.separator = separator
                rule.modulus = 1000
                rule.targetLabel = "d"
            }?["d"]
        }
        #expect(try hashed(["c"], ";") == "976")
        #expect(try hashed(["a", "b"], "\n") == "734")
    }

    @Test func labelActionsWorkOnNames() throws {
        #expect(
            try apply(["__meta_x": "1", "y": "2"]) { rule in
                rule.action = .labelmap
                rule.regex = "__meta_(.+)"
            } == ["__meta_x": "1", "x": "1", "y": "2"])
        #expect(
            try apply(labels) { rule in
                rule.action = .labeldrop
                rule.regex = "[ab]"
            } == ["__name__": "m", "c": "baz"])
        #expect(
            try apply(labels) { rule in
                rule.action = .labelkeep
                rule.regex = "__name__|a"
            } == ["__name__": "m", "a": "foo"])
    }

    @Test func caseActionsWriteTheTarget() throws {
        let result = try apply(
            labels,
            { rule in
                rule.action = .uppercase
                rule.sourceLabels = ["a"]
                rule.targetLabel = "a"
            },
            { rule in
                rule.action = .lowercase
                rule.sourceLabels = ["a", "b"]
                rule.targetLabel = "b"
            })
        #expect(result?["a"] == "FOO")
        #expect(result?["b"] == "foo;bar")
    }

    @Test func rulesWorkOnEachOthersOutcome() throws {
        let result = try apply(
            labels,
            { rule in
                rule.targetLabel = "x"
                rule.replacement = "1"
            },
            { rule in
                rule.action = .drop
                rule.sourceLabels = ["x"]
                rule.regex = "1"
            })
        #expect(result == nil)
    }
}
