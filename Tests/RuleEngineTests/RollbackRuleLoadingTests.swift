import MetricModel
import RuleModel
import Testing
import YAML

@testable import RuleEngine

@Suite struct RollbackRuleLoadingTests {
    private static let complete = """
        groups:
        - name: acgs
          labels: {team: sre}
          rules:
          - rollback: ComplianceLow
            expr: avg_over_time(score{env="green"}[5m])
            trip: "< 0.95"
            consecutive: 3
            immediate: true
            severity: high
            missing: {policy: freeze, after: 2m, then: trip}
            min_samples: {expr: 'increase(requests_total[5m])', value: 100}
            guard: up
            cooldown: 20m
            clear: {trip: ">= 0.96", for: 5m}
            mode: shadow
            action: {plan: acgs, service: auth, scope: service+dependents, on_target_unhealthy: freeze}
            labels: {area: law}
            annotations: {summary: "{{ $value }}"}
        """

    private func load(_ text: String) throws(RuleFileError) -> RollbackQuery? {
        let file = try RuleFile(parsing: Array(text.utf8), path: "r.yml")
        guard case .rollback(let query)? = file.groups.first?.rules.first else { return nil }
        return query
    }

    private func faults(_ rule: String) -> [String] {
        do throws(RuleFileError) {
            _ = try load("groups: [{name: g, rules: [\(rule)]}]")
            return []
        } catch {
            return error.faults.map { "\($0.field): \($0.message)" }
        }
    }

    @Test func readsEveryField() throws {
        let query = try #require(try load(Self.complete))
        var wanted =
            RollbackDefinition(
                name: "ComplianceLow", expression: "avg_over_time(score{env=\"green\"}[5m])",
                trip: .init(.less, 0.95), consecutive: 3, immediate: true, severity: "high",
                missing: .init(policy: .freeze, after: .minutes(2), then: .trip),
                minimumSamples: .init(expression: "increase(requests_total[5m])", value: 100),
                guardExpression: "up", cooldown: .minutes(20),
                clear: .init(condition: .init(.greaterOrEqual, 0.96), hold: .minutes(5)), mode: .shadow,
                action: .init(plan: "acgs", service: "auth", scope: .serviceAndDependents),
                labels: ["area": "law", "team": "sre"], annotations: ["summary": "{{ $value }}"])
        wanted.longestRange = .minutes(5)
        #expect(query.definition == wanted)
        #expect(query.minimumSamples != nil)
        #expect(query.guardExpression != nil)
    }

    @Test func leavesDefaultsWhereNothingIsSaid() throws {
        let query = try #require(
            try load("groups: [{name: g, rules: [{rollback: R, expr: x, trip: '> 1', action: {plan: p}}]}]"))
        #expect(
            query.definition
                == RollbackDefinition(
                    name: "R", expression: "x", trip: .init(.greater, 1), action: .init(plan: "p")))
        #expect(query.definition.missing == .init(policy: .hold, after: nil, then: .alert))
        #expect(query.definition.cooldown == .minutes(15))
    }

    @Test func namesWhatIsWrong() {
        #expect(
            faults("{rollback: R, expr: 'x[5m]', trip: 'below 3', consecutive: 0, mode: maybe, action: {scope: half}}")
                == [
                    "groups[0].rules[0].expr: expected an instant vector or a scalar, got range vector",
                    "groups[0].rules[0].trip: expected a comparison with a number such as \"< 0.95\", got \"below 3\"",
                    "groups[0].rules[0].action: one of the fields \"plan\" and \"verdict\" is required",
                    "groups[0].rules[0].action.scope: expected one of service, service+dependents, all, got \"half\"",
                    "groups[0].rules[0].consecutive: expected at least 1",
                    "groups[0].rules[0].mode: expected one of enforce, shadow, got \"maybe\"",
                ])
        #expect(
            faults("{rollback: R, expr: x, for: 5m}") == [
                "groups[0].rules[0].trip: field 'trip' must be set in a rollback rule",
                "groups[0].rules[0].action: field 'action' must be set in a rollback rule",
                "groups[0].rules[0].for: unknown field \"for\"",
            ])
        #expect(
            faults(
                "{rollback: R, expr: x, trip: '== nan', min_samples: {}, clear: {for: 1m, if: x}, action: {plan: p}}")
                == [
                    "groups[0].rules[0].trip: expected a comparison with a number such as \"< 0.95\", got \"== nan\"",
                    "groups[0].rules[0].min_samples.expr: field 'expr' must be set in rule",
                    "groups[0].rules[0].min_samples: the field \"value\" is required",
                    "groups[0].rules[0].clear.trip: field 'trip' must be set in a rollback rule",
                    "groups[0].rules[0].clear.if: unknown field \"if\"",
                ])
    }

    @Test func readsTheShareOfAReduction() throws {
        func rule(_ share: String) -> String {
            "{rollback: R, expr: x, trip: '> 1', action: {plan: p, reduce_to: \(share)}}"
        }
        let query = try #require(try load("groups: [{name: g, rules: [\(rule("25"))]}]"))
        #expect(query.definition.action.reduceTo == 25)
        #expect(query.definition.canonicalText.contains("action.reduce_to: \"25\"\n"))
        for share in ["0", "100", "-1"] {
            #expect(
                faults(rule(share)) == [
                    "groups[0].rules[0].action.reduce_to: expected a share in percent from 1 to 99"
                ])
        }
        #expect(faults(rule("half")).count == 1)
    }

    @Test func refusesTheSameNameTwice() {
        let rule = "{rollback: R, expr: x, trip: '> 1', action: {plan: p}}"
        #expect(faults("\(rule), \(rule)") == ["groups[0]: rollback rule \"R\" is repeated in the group"])
    }

    @Test(arguments: [
        ("< 0.95", "< 0.95"), ("<=1", "<= 1"), ("  >  2e3 ", "> 2000"), ("==0", "== 0"), ("!= -1", "!= -1"),
        (">= +Inf", ">= +Inf"),
    ])
    func readsConditions(text: String, canonical: String) {
        #expect(RollbackDefinition.Condition(parsing: text)?.description == canonical)
    }

    @Test func hashDependsOnMeaningNotOnLayout() throws {
        let query = try #require(try load(Self.complete))
        let other = Self.complete.split(separator: "\n")
            .map { $0.replacing("consecutive: 3", with: "\"consecutive\": 3 # three") }.joined(separator: "\n")
        #expect(try load(other)?.hash == query.hash)
        #expect(query.hash != (try load(Self.complete.replacing("consecutive: 3", with: "consecutive: 2"))?.hash))
        #expect(query.hash != (try load(Self.complete.replacing("for: 5m}", with: "for: 6m}"))?.hash))
    }

    @Test func hashIsSHA256OfTheCanonicalText() {
        let definition = RollbackDefinition(
            name: "R", expression: "x", trip: .init(.less, 0.5), action: .init(plan: "p"))
        #expect(
            definition.canonicalText == """
                rollback: "R"
                expr: "x"
                trip: "< 0.5"
                consecutive: "1"
                immediate: "false"
                severity: "critical"
                missing.policy: "hold"
                missing.after: ""
                missing.then: "alert"
                guard: ""
                cooldown: "15m"
                mode: "enforce"
                action.plan: "p"
                action.service: ""
                action.scope: "service"
                action.on_target_unhealthy: "freeze"
                labels: "{}"
                annotations: "{}"

                """)
        // sha256sum of that text.
        #expect(definition.hash == "13066c38024a710d7c1f733b799a7ab8dc4fabd49a312a4250540b00b0e0ba85")
    }
}
