import Runtime
import TestSupport
import Testing

@testable import Tribune

/// The errors of `check config` and `check rules` about names in plans and rollback rules.
@Suite struct NameCheckTests {
    private let directory = TemporaryDirectory()

    private static let services = """
        services:
        - name: api
          stable_health: http://127.0.0.1:1/
          routes: [{haproxy: {address: /x, stable: [api/blue], candidate: [api/green]}}]
        - name: db
          depends: [api]
          routes: [{haproxy: {address: /x, stable: [db/blue], candidate: [db/green]}}]
        """

    private func rule(_ fields: String, expression: String = "sum by (service) (errors)") -> String {
        "{rollback: Errors, expr: '\(expression)', trip: '> 1', \(fields)}"
    }

    private func check(
        plan: String, rule: String, receivers: Bool = false, services: String = services
    ) throws -> TribuneProgram.Result {
        directory.write("plan: shop\n\(plan)\n\(services)\n", to: "plan.yml")
        directory.write("groups:\n- name: g\n  rules:\n  - \(rule)\n", to: "rules.yml")
        directory.write("rule_files: [rules.yml]\n", to: "prometheus.yml")
        directory.write("route: {receiver: team}\nreceivers: [{name: team}]\n", to: "alertmanager.yml")
        let alertmanager = receivers ? "alertmanager_config: alertmanager.yml\n" : ""
        let path = directory.write(
            "prometheus_config: prometheus.yml\nplans: [plan.yml]\n\(alertmanager)", to: "tribune.yml")
        return try TribuneProgram.run(["check", "config", path])
    }

    @Test(
        "a name that does not exist is refused with file, line and field",
        arguments: [
            ("stages: [100]\nfreeze_if: [Errors, Nope]", "action: {plan: shop}", "plan.yml:3:21: freeze_if[1]: "),
            (
                "stages: [100]\nvalidation: {rules: [Nope]}", "action: {plan: shop}",
                "plan.yml:3:22: validation.rules[0]: "
            ),
            ("stages: [100]\nnotify: [nobody]", "action: {plan: shop}", "plan.yml:3:10: notify[0]: "),
            ("stages: [100]", "action: {plan: ship}", "rules.yml:4:"),
            ("stages: [100]", "action: {plan: shop, service: cart}", "rules.yml:4:"),
        ])
    func unknownNames(plan: String, action: String, place: String) throws {
        let result = try check(plan: plan, rule: rule(action), receivers: true)
        #expect(result.exit == .code(1))
        #expect(result.output.contains("FAILED: \(directory.path)/\(place)"), "\(result.output)")
    }

    @Test("a gate that names no rule is refused with its service")
    func unknownGate() throws {
        let services = Self.services.replacing(
            "- name: api", with: "- gates: [{rule: Errors}, {rule: Nope}]\n  name: api")
        let result = try check(plan: "stages: [100]", rule: rule("action: {plan: shop}"), services: services)
        let message = "plan.yml:4:34: services[0].gates[1].rule: no rollback rule"
        #expect(result.output.contains(message), "\(result.output)")
    }

    @Test("receivers need an alertmanager.yml")
    func receivers() throws {
        let plan = "stages: [100]\nnotify: [team]"
        #expect(try check(plan: plan, rule: rule("action: {plan: shop}"), receivers: true).exit == .code(0))
        let result = try check(plan: plan, rule: rule("action: {plan: shop}"))
        #expect(result.output.contains("alertmanager_config is not set"), "\(result.output)")
    }

    @Test("a misspelled field is reported itself, not the field that is missing because of it")
    func misspelled() throws {
        let result = try check(plan: "steps: [100]", rule: rule("action: {plan: shop}"))
        #expect(result.output.contains("plan.yml:2:1: steps: unknown field \"steps\""), "\(result.output)")
    }

    @Test(
        "a rule that names no service is refused where there are several",
        arguments: [
            ("sum(errors) / sum(requests)", "", 1), ("vector(1)", "", 1), ("sum without (service) (errors)", "", 0),
            ("sum by (service) (errors) / on () group_left () sum(requests)", "", 0),
            ("sum(errors)", ", scope: all", 0), ("sum(errors)", ", service: api", 0), ("errors", "", 0),
            ("max by (job) (errors)", "", 1), (#"label_replace(sum(errors), "service", "api", "", "")"#, "", 0),
        ])
    func namesNoService(expression: String, action: String, code: Int32) throws {
        let rule = rule("action: {plan: shop\(action)}", expression: expression)
        let result = try check(plan: "stages: [100]", rule: rule)
        #expect(result.exit == .code(code), "\(result.output)")
        if code == 1 { #expect(result.output.contains("rules.yml:4:"), "\(result.output)") }
        let single = "services: [{name: api, routes: [{exec: {shift: [s], read: [r]}}]}]"
        let alone = try check(
            plan: "stages: [100]", rule: rule.replacing("service: db", with: "service: api"), services: single)
        #expect(alone.exit == .code(0), "\(alone.output)")
    }

    @Test("the services of each rule are printed, and a service without a rule is a warning")
    func reach() throws {
        let all = try check(plan: "stages: [100]", rule: rule("action: {plan: shop}"))
        #expect(all.output.contains("plan shop: rule Errors judges api, db\n"), "\(all.output)")
        #expect(!all.errors.contains("warning"), "\(all.errors)")
        let one = try check(
            plan: "stages: [100]",
            rule: rule("action: {plan: shop}", expression: #"sum by (service) (errors{service=~"db|cart"})"#))
        #expect(one.output.contains("plan shop: rule Errors judges db\n"), "\(one.output)")
        #expect(
            one.errors.contains("warning: plan shop: no rollback rule reaches the service \"api\""), "\(one.errors)")
        let both = try check(
            plan: "stages: [100]", rule: rule("action: {plan: shop, service: api, scope: service+dependents}"))
        #expect(both.output.contains("rule Errors judges api; also rolls back db\n"), "\(both.output)")
        let shadow = try check(plan: "stages: [100]", rule: rule("action: {plan: shop}, mode: shadow"))
        #expect(shadow.errors.contains("\"api\"") && shadow.errors.contains("\"db\""), "\(shadow.errors)")
    }

    @Test("check rules reads the plans of the rules")
    func checkRules() throws {
        _ = try check(plan: "stages: [100]\nfreeze_if: [Nope]", rule: rule("action: {plan: shop}"))
        let (rules, plan) = (directory.file("rules.yml"), directory.file("plan.yml"))
        #expect(try TribuneProgram.run(["check", "rules", rules]).exit == .code(0))
        let refused = try TribuneProgram.run(["check", "rules", "--plan=\(plan)", rules])
        #expect(refused.exit == .code(1))
        #expect(refused.output.contains("plan.yml:3:13: freeze_if[0]: no rollback rule"), "\(refused.output)")
        _ = try check(plan: "stages: [100]", rule: rule("action: {plan: shop}"))
        let good = try TribuneProgram.run(["check", "rules", "--plan=\(plan)", rules])
        #expect(good.output.hasSuffix("plan shop: rule Errors judges api, db\n"), "\(good.output)")
    }

    // MARK: Labels of targets

    private func warnings(labels: [String], more: String = "", expression: String, action: String) throws -> [Substring]
    {
        let targets = labels.enumerated().map { "  - {targets: ['127.0.0.1:\($0 + 1)'], labels: {\($1)}}" }
        directory.write("plan: shop\nstages: [100]\n\(Self.services)\n", to: "plan.yml")
        directory.write("groups:\n- name: g\n  rules:\n  - \(rule(action, expression: expression))\n", to: "rules.yml")
        directory.write(
            """
            rule_files: [rules.yml]
            scrape_configs:
            - job_name: shop
              static_configs:
            \(targets.map { "  \($0)" }.joined(separator: "\n"))
            \(more)

            """, to: "prometheus.yml")
        let path = directory.write("prometheus_config: prometheus.yml\nplans: [plan.yml]\n", to: "tribune.yml")
        let result = try TribuneProgram.run(["check", "config", path])
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        return result.errors.split(separator: "\n").filter { $0.contains("no target has") }
    }

    private static let targets = ["service: api, env: blue", "service: api, env: green", "service: db, env: green"]

    @Test("a label that no target has is a warning")
    func labelsOfTargets() throws {
        let action = "action: {plan: shop}"
        let expression = #"sum by (service) (errors{env="green"})"#
        #expect(try warnings(labels: Self.targets, expression: expression, action: action) == [])
        #expect(
            try warnings(
                labels: Self.targets,
                expression: #"sum by (service) (errors{env="grene"}) / sum by (service) (all{env="grene"})"#,
                action: action) == [
                    #"warning: g: Errors: no target has the label env="grene" (they have blue, green): nothing is measured"#
                ])
        #expect(
            try warnings(labels: Array(Self.targets.prefix(2)), expression: expression, action: action) == [
                #"warning: plan shop: no target has the label service="db" (they have api): nothing is measured"#
            ])
    }

    @Test("a label that may come from elsewhere is no warning")
    func labelsFromElsewhere() throws {
        let wrong = #"sum by (service) (errors{env="grene"})"#
        let action = "action: {plan: shop}"
        for more in [
            "- {job_name: self, static_configs: [{targets: ['127.0.0.1:9']}]}",
            "- {job_name: found, file_sd_configs: [{files: ['*.json']}]}",
            "  relabel_configs: [{target_label: env, replacement: grene}]",
        ] {
            #expect(try warnings(labels: Self.targets, more: more, expression: wrong, action: action) == [], "\(more)")
        }
        // The action names the service, not the label.
        let named = "action: {plan: shop, service: db}"
        #expect(
            try warnings(labels: Array(Self.targets.prefix(2)), expression: "sum(errors)", action: named) == [])
    }
}
