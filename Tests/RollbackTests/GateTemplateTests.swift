import RuleModel
import Testing
import YAML

@testable import Rollback

struct GateTemplateTests {
    /// A plan of the services a and b, with `templates` at its top and `gates` in a.
    private static func plan(_ templates: String, _ gates: String) -> String {
        """
        plan: p
        stages: [10, 100]
        gate_templates:
        \(templates)
        services:
        - name: a
          gates: [\(gates)]
          routes: [{exec: {shift: [s], read: [r]}}]
        - name: b
          gates: [{template: errors, with: {limit: 0.5}}]
          routes: [{exec: {shift: [s], read: [r]}}]
        """
    }

    private static let errors = """
        - name: errors
          parameters: [limit]
          expr: rate(errors{service="${service}"}[5m]) > ${limit}
          healthy: "< ${limit}"
        """

    private static func fault(_ text: String) -> String {
        do throws(YAMLError) {
            _ = try RolloutPlan(parsing: text, file: "p.yml")
            return "accepted"
        } catch {
            return error.description
        }
    }

    @Test("a template is one gate of each service that uses it, with that service and its values")
    func uses() throws {
        let plan = try RolloutPlan(
            parsing: Self.plan(Self.errors, "{template: errors, name: mine, with: {limit: 2}}, {approval: ok}"),
            file: "p.yml")
        #expect(
            plan.services.map(\.gates) == [
                [
                    .init(
                        name: "mine",
                        kind: .expression("rate(errors{service=\"a\"}[5m]) > 2", healthy: .init(.less, 2))),
                    .init(name: "ok", kind: .approval()),
                ],
                [
                    .init(
                        name: "errors",
                        kind: .expression("rate(errors{service=\"b\"}[5m]) > 0.5", healthy: .init(.less, 0.5)))
                ],
            ])
    }

    @Test("a placeholder in a list is filled")
    func lists() throws {
        let template =
            "- {name: board, parameters: [who], approval: the board, from: [\"${who}\", eve]}\n" + Self.errors
        let plan = try RolloutPlan(
            parsing: Self.plan(template, "{template: board, with: {who: ann}}"), file: "p.yml")
        var approval = RolloutPlan.Gate.Approval()
        approval.from = ["ann", "eve"]
        #expect(plan.services[0].gates == [.init(name: "board", kind: .approval(approval))])
    }

    @Test(
        "faults are told with line and field",
        arguments: [
            ("{template: nope}", "p.yml:10:22: services[0].gates[0].template: there is no gate template \"nope\""),
            ("{template: errors}", "p.yml:10:11: services[0].gates[0].with: the field \"limit\" is required"),
            (
                "{template: errors, with: {limit: 1, other: 2}}",
                "p.yml:10:47: services[0].gates[0].with.other: unknown field"
            ),
            (
                "{template: errors, expr: up, with: {limit: 1}}",
                "p.yml:10:30: services[0].gates[0].expr: unknown field"
            ),
            (
                "{template: errors, with: {limit: high}}",
                "p.yml:7:12: services[0].gates[0].healthy: expected a comparison such as \"< 0.95\""
            ),
        ])
    func faultsOfUses(_ gate: String, _ expected: String) {
        #expect(
            Self.fault(Self.plan(Self.errors, gate)).hasPrefix(expected), "\(Self.fault(Self.plan(Self.errors, gate)))")
    }

    @Test(
        "a template is refused with line and field",
        arguments: [
            ("- {name: x, expr: \"${who}\"}", "p.yml:4:3: gate_templates[0]: there is no parameter \"who\""),
            (
                "- {name: x, parameters: [who], expr: up}",
                "p.yml:4:25: gate_templates[0].parameters: no text has ${who}"
            ),
            ("- {name: x, expr: \"${who\"}", "p.yml:4:19: gate_templates[0].expr: expected ${PARAMETER}"),
            ("- {name: x, exprs: up}", "p.yml:4:13: gate_templates[0].exprs: unknown field"),
            (
                "- {name: x, parameters: [service], expr: \"${service}\"}",
                "p.yml:4:25: gate_templates[0].parameters: \"service\" is no name of a parameter"
            ),
            ("- {name: errors, expr: up}", "p.yml:5:3: gate_templates[1]: the template \"errors\" appears twice"),
        ])
    func faultsOfTemplates(_ template: String, _ expected: String) {
        let fault = Self.fault(Self.plan(template + "\n" + Self.errors, ""))
        #expect(fault.hasPrefix(expected), "\(fault)")
    }
}
