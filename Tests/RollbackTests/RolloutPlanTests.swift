import Foundation
import MetricModel
import Testing
import YAML

@testable import Rollback

struct RolloutPlanTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func acgs() throws -> RolloutPlan {
        let file = Self.root.appending(path: "rules/plans/acgs.yml")
        return try RolloutPlan(parsing: String(contentsOf: file, encoding: .utf8), file: "acgs.yml")
    }

    static func plan(_ services: String, top: String = "") -> String {
        "plan: p\nstages: [10, 100]\n\(top)services:\n" + services
    }

    static func service(_ name: String, _ extra: String = "") -> String {
        "- name: \(name)\n  \(extra)\n  routes: [{exec: {shift: [s], read: [r]}}]\n"
    }

    private func fault(_ text: String) -> String {
        do throws(YAMLError) {
            _ = try RolloutPlan(parsing: text, file: "p.yml")
            return "accepted"
        } catch {
            return error.description
        }
    }

    @Test("the seven ACGS services are promoted in the documented order, each after its dependencies")
    func order() throws {
        let plan = try acgs()
        #expect(plan.services.map(\.name) == ["auth", "ac", "integrity", "fv", "gs", "pgc", "ec"])
        #expect(plan.levels == [["auth"], ["ac", "integrity", "fv"], ["gs"], ["pgc"], ["ec"]])
        for (index, service) in plan.services.enumerated() {
            let before = plan.services[..<index].map(\.name)
            #expect(service.depends.allSatisfy { before.contains($0) }, "\(service.name)")
        }
        #expect(plan.services.map(\.priority) == [10, 9, 5, 7, 8, 6, 4])
        #expect(plan.service("ac")?.stages.map(\.candidate) == [5, 25, 75, 100])
        #expect(plan.service("ec")?.stages.map(\.candidate) == [1, 10, 50, 100])
        #expect(plan.services.allSatisfy { $0.gates.count >= 5 && !$0.preflight.isEmpty })
        #expect(plan.settle == .seconds(120))
        #expect(plan.successRatio == 0.8)
    }

    @Test("the ACGS gates have the documented thresholds, each with its direction")
    func thresholds() throws {
        let plan = try acgs()
        func conditions(_ gate: Int) -> [String] {
            plan.services.map { service in
                guard case .expression(let text, let healthy) = service.gates[gate].kind else { return "no expression" }
                return text.contains("service=\"\(service.name)\"") ? "\(healthy)" : "another service's"
            }
        }
        #expect(conditions(0) == ["< 200", "< 300", "< 100", "< 5000", "< 500", "< 400", "< 600"])
        #expect(Set(conditions(1)) == ["< 0.001"])
        #expect(Set(conditions(2)) == [">= 0.95"])
    }

    @Test("rollback begins with dependents")
    func rollbackOrder() throws {
        let plan = try acgs()
        #expect(plan.rollbackOrder == ["ec", "pgc", "gs", "fv", "integrity", "ac", "auth"])
        #expect(plan.dependents(including: "gs") == ["ec", "pgc", "gs"])
        #expect(plan.dependents(including: "auth") == plan.rollbackOrder)
        #expect(plan.dependents(including: "fv") == ["fv"])
    }

    @Test("without an order, priority decides among services whose dependencies are met")
    func priorities() throws {
        let text = Self.plan(
            Self.service("a", "priority: 1") + Self.service("b", "priority: 5")
                + Self.service("c", "depends: [b]\n  priority: 9") + Self.service("d", "priority: 1"))
        let plan = try RolloutPlan(parsing: text, file: "p.yml")
        #expect(plan.services.map(\.name) == ["b", "c", "a", "d"])
        #expect(plan.levels == [["b"], ["c", "a", "d"]])
    }

    @Test(
        "faults are told with line and field",
        arguments: [
            ("", "p.yml:1:1: the file is empty"),
            ("plan: a\n---\nplan: b\n", "p.yml:3:1: expected one document, found 2"),
            (
                plan(service("a", "depends: [b]") + service("b", "depends: [a]")),
                "p.yml:4:3: services: dependencies form a cycle: a → b → a"
            ),
            (plan(service("a", "depends: [a]")), "p.yml:4:3: services: dependencies form a cycle: a → a"),
            (plan(service("a", "depends: [x]")), "p.yml:4:3: services[0].depends: there is no service \"x\""),
            (plan(service("a") + service("a")), "p.yml:7:3: services[1]: the service \"a\" appears twice"),
            (
                plan(service("a") + service("b", "depends: [a]"), top: "order: [b, a]\n"),
                "p.yml:3:8: order: \"b\" depends on \"a\", which must come before it"
            ),
            (
                plan(service("a") + service("b"), top: "order: [b]\n"),
                "p.yml:3:8: order: \"a\" is missing from the order"
            ),
            (plan(service("a"), top: "order: [a, c]\n"), "p.yml:3:8: order: there is no service \"c\""),
            (plan(service("a"), top: "sttle: 5s\n"), "p.yml:3:1: sttle: unknown field \"sttle\""),
            (plan(service("a", "bake: 5x")), "p.yml:5:9: services[0].bake: not a duration, such as 30s or 5m"),
            (
                plan(service("a", "stages: [10, 5, 100]")),
                "p.yml:5:16: services[0].stages[1]: stages are whole percentages from 1 to 100, in ascending order, after testers if they are first"
            ),
            (plan(service("a", "stages: [10, 50]")), "p.yml:5:11: services[0].stages: the last stage must be 100"),
            (
                plan(service("a", "gates: [{expr: up}]")),
                "p.yml:5:11: services[0].gates[0]: the field \"healthy\" is required"
            ),
            (
                plan(service("a", "gates: [{http: \"http://x/\", rule: r}]")),
                "p.yml:5:11: services[0].gates[0]: a gate has exactly one of expr, http, rule and approval"
            ),
            (
                plan(service("a", "gates: [{rule: r, retries: 3}]")),
                "p.yml:5:21: services[0].gates[0].retries: unknown field \"retries\""
            ),
            (
                plan(service("a", "priority: 1\n  weigth: 3")),
                "p.yml:6:3: services[0].weigth: unknown field \"weigth\""
            ),
            (
                plan(service("a"), top: "validation: {round: 3}\n"),
                "p.yml:3:14: validation.round: unknown field \"round\""
            ),
            (plan(service("a"), top: "success_ratio: 80\n"), "p.yml:3:16: success_ratio: must be between 0 and 1"),
            (plan("- name: a\n"), "p.yml:4:3: services[0].routes: a service has 1 to 8 routes"),
            (
                plan("- name: a\n  routes: [{exec: {shift: [s]}}]\n"),
                "p.yml:5:19: services[0].routes[0].exec: a shift counts only when it can be read back: the field \"read\" is required"
            ),
            (
                plan("- name: a\n  routes: [{haproxy: {address: /s, stable: [b/x], candidate: [c/y]}}]\n"),
                "p.yml:5:22: services[0].routes[0].haproxy.candidate: servers divided by weight must be of one backend"
            ),
            (
                plan("- name: a\n  routes: [{haproxy: {address: /s, stable: [\"b/x;shutdown\"], candidate: [b/y]}}]\n"),
                "p.yml:5:45: services[0].routes[0].haproxy.stable[0]: expected backend/server"
            ),
            (
                plan(
                    "- name: a\n  stable_health: http://h/\n  stages: [50, 100]\n  routes: [{kubernetes: {server: 'http://x', "
                        + "namespace: n, name: o, kind: service, stable: {v: a}, candidate: {v: b}}}]\n"),
                "p.yml:7:12: services[0].routes[0]: the stage 50 % cannot be set: the selector of a Service can only select one version, so 100 must be the only stage"
            ),
            (
                plan("- name: a\n  routes: [{envoy: {admin: 'http://x', stable: a, candidate: b}}]\n"),
                "p.yml:5:20: services[0].routes[0].envoy: an Envoy route has exactly one of rds and runtime"
            ),
            (
                "plan: a b\nservices: []\n",
                "p.yml:1:7: plan: a name has 1 to 100 letters, digits, \"-\", \"_\" and \".\""
            ),
        ])
    func faults(text: String, message: String) {
        #expect(fault(text) == message)
    }

    @Test("a split is 0 to 100 percent, and a small share is never rounded to nothing")
    func splits() {
        #expect(TrafficSplit(candidate: 101) == nil)
        #expect(TrafficSplit(candidate: -1) == nil)
        #expect(TrafficSplit(candidate: 30)?.stable == 70)
        #expect(TrafficSplit(candidateShares: 1, of: 1000)?.candidate == 1)
        #expect(TrafficSplit(candidateShares: 999, of: 1000)?.candidate == 99)
        #expect(TrafficSplit(candidateShares: 0, of: 5) == .allStable)
        #expect(TrafficSplit(candidateShares: 0, of: 0) == nil)
    }
}
