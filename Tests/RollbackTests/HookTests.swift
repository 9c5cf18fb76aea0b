import JSON
import MetricModel
import Testing
import YAML

@testable import Rollback

struct HookTests {
    private static func text(_ hooks: String) -> String {
        """
        plan: p
        stages: [10, 100]
        bake: 30s
        settle: 0s
        gate_timeout: 5m
        validation: {rounds: 1, interval: 1s, timeout: 1m}
        hooks:
        \(hooks)
        services:
        - {name: a, routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: b, depends: [a], routes: [{exec: {shift: [s], read: [r]}}]}
        """
    }

    private static func bench(_ hooks: String) throws -> MachineBench {
        MachineBench(try RolloutPlan(parsing: text(hooks), file: "p.yml"), []) { _, _, _, _ in nil }
    }

    /// Every moment once.
    private static let all = RolloutHook.Moment.allCases.map {
        "- {name: h-\($0.rawValue), when: \($0.rawValue), exec: [t], timeout: 20s}"
    }.joined(separator: "\n")

    @Test("hooks are called at their moments, once each, and the rollout waits for each of them")
    func moments() throws {
        var bench = try Self.bench(Self.all)
        bench.command(.start)
        var seen: [String] = []
        for _ in 0..<200 where bench.controller.state.phase == .promoting || bench.calls.count > seen.count {
            bench.run(seconds: 1)
            while bench.calls.count > seen.count {
                let call = bench.calls[seen.count]
                let before = bench.weights
                bench.run(seconds: 8)
                #expect(bench.weights == before, "\(call.key) did not hold")
                seen.append("\(call.key.dropFirst(4)) \(before)")
                bench.answer(call, .pass)
            }
        }
        #expect(
            seen == [
                "before_rollout/h-before_rollout [0, 0]",
                "before_stage/a/1/h-before_stage [0, 0]", "after_stage/a/1/h-after_stage [10, 0]",
                "before_stage/a/2/h-before_stage [10, 0]", "after_stage/a/2/h-after_stage [100, 0]",
                "before_stage/b/1/h-before_stage [100, 0]", "after_stage/b/1/h-after_stage [100, 10]",
                "before_stage/b/2/h-before_stage [100, 10]", "after_stage/b/2/h-after_stage [100, 100]",
                "after_promotion/h-after_promotion [100, 100]",
            ])
        let call = try #require(bench.calls.first { $0.hook.moment == .beforeStage && $0.service == "b" })
        #expect(call.json["candidate"] == 10)
        #expect(call.json["stage"] == 1)
        #expect(bench.command(.rollback(services: nil)) == .accepted)
        bench.run(seconds: 10)
        let last = try #require(bench.calls.last)
        #expect(last.key == "p/1/after_rollback/p-1-1/h-after_rollback")
        #expect(last.rollback == "p-1-1")
        bench.answer(last, .pass)
        bench.run(seconds: 60)
        #expect(bench.calls.last == last)
        #expect(bench.weights == [0, 0])
    }

    @Test("a hook without a verdict is called again every ten seconds; people are notified after gate_timeout")
    func holds() throws {
        var bench = try Self.bench("- {name: h, when: before_stage, services: [a], exec: [t], timeout: 20s}")
        bench.command(.start)
        bench.answer(try #require(bench.calls.first), .hold, "not yet")
        bench.run(seconds: 9)
        #expect(bench.calls.count == 1)
        bench.run(seconds: 1)
        #expect(bench.calls.count == 2)
        let view = try #require(bench.controller.hookViews.first)
        #expect(view.moment == "before stage 1 of a")
        #expect(view.answer == HookAnswer(.hold, "not yet"))
        #expect(
            bench.controller.standstill(at: bench.now)
                == "waits for the hook h before stage 1 of a: hold, not yet")
        // The second call is never answered: after its time and ten seconds more it is given up, and repeated.
        bench.run(seconds: 29)
        #expect(bench.calls.count == 2)
        bench.run(seconds: 11)
        #expect(bench.calls.count == 3)
        bench.run(seconds: 300)
        #expect(bench.weights == [0, 0])
        let pages = bench.notices.filter { $0.key == "p/1/hook/before_stage/a/1/h" }
        #expect(pages.map(\.kind) == [.page])
        #expect(pages[0].severity == "warning")
        bench.answer(try #require(bench.calls.last), .pass)
        #expect(bench.notices.last?.kind == .over)
        #expect(bench.controller.standstill(at: bench.now) == nil)
        bench.run(seconds: 31)
        // The second stage has a call of its own.
        #expect(bench.weights == [10, 0])
        bench.answer(try #require(bench.calls.last), .pass)
        bench.run(seconds: 120)
        #expect(bench.weights == [100, 100])
    }

    @Test("a failed hook before a stage pauses, one after a stage takes its service back")
    func fails() throws {
        var bench = try Self.bench(
            "- {name: h, when: before_stage, exec: [t]}\n- {name: g, when: after_stage, exec: [t]}")
        bench.command(.start)
        bench.answer(try #require(bench.calls.last), .fail, "no")
        #expect(bench.controller.state.phase == .paused(reason: "hook h before stage 1 of a: no"))
        bench.run(seconds: 60)
        #expect(bench.calls.count == 1)
        #expect(bench.command(.resume) == .accepted)
        #expect(bench.calls.count == 2)
        bench.answer(try #require(bench.calls.last), .pass)
        bench.run(seconds: 35)
        #expect(bench.weights == [10, 0])
        #expect(bench.calls.last?.hook.name == "g")
        bench.answer(try #require(bench.calls.last), .fail, "500 ms")
        bench.run(seconds: 10)
        #expect(bench.weights == [0, 0])
        #expect(
            bench.reports.map { $0.rollback.causes } == [
                [.promotion(service: "a", reason: "hook g after stage 1 of a: 500 ms")]
            ])
        let verdicts = bench.events.filter { $0.body["step"] == "hook" }.map { $0.body["verdict"]?.text }
        #expect(verdicts == ["fail", "pass", "fail"])
    }

    @Test("a passed hook is not called again by the next process, one under way is")
    func restarts() throws {
        var bench = try Self.bench(
            "- {name: h, when: before_rollout, exec: [t]}\n- {name: g, when: before_rollout, exec: [t]}")
        bench.command(.start)
        let first = bench.calls
        #expect(first.map(\.hook.name) == ["h", "g"])
        bench.answer(first[0], .pass)
        bench.restart()
        bench.run(seconds: 1)
        #expect(bench.calls.dropFirst(2).map(\.key) == [first[1].key])
        bench.answer(try #require(bench.calls.last), .pass)
        bench.run(seconds: 5)
        #expect(bench.weights == [10, 0])
    }

    @Test("a trip while a hook runs takes traffic back at once, and the hook's answer changes nothing")
    func trips() throws {
        var bench = try Self.bench("- {name: h, when: after_stage, exec: [t], timeout: 1h}")
        bench.command(.start)
        bench.run(seconds: 35)
        let call = try #require(bench.calls.first)
        #expect(bench.command(.abort) == .accepted)
        #expect(bench.weights == [0, 0])
        bench.run(seconds: 30)
        #expect(bench.controller.hookViews.isEmpty)
        bench.answer(call, .pass)
        bench.run(seconds: 60)
        #expect(bench.weights == [0, 0])
        #expect(bench.controller.state.hooks.isEmpty)
    }

    @Test("a hook after a promotion that gives no verdict is given up after gate_timeout")
    func givesUp() throws {
        var bench = try Self.bench("- {name: h, when: after_promotion, exec: [t]}")
        bench.command(.start)
        bench.run(seconds: 150)
        bench.answer(try #require(bench.calls.first), .none, "refused")
        bench.run(seconds: 400)
        #expect(bench.controller.state.hooks == ["after_promotion/h": true])
        let count = bench.calls.count
        bench.run(seconds: 400)
        #expect(bench.calls.count == count)
        #expect(bench.weights == [100, 100])
        #expect(bench.notices.filter { $0.key == "p/1/hook/after_promotion/h" }.map(\.kind) == [.page])
    }

    @Test(
        "faults are told with line and field",
        arguments: [
            ("- {name: h, when: later, exec: [t]}", "p.yml:8:19: hooks[0].when: expected one of before_rollout, "),
            ("- {name: h, when: after_stage}", "p.yml:8:3: hooks[0]: a hook has exactly one of http and exec"),
            (
                "- {name: h, when: after_stage, exec: [t], http: \"http://a\"}",
                "p.yml:8:3: hooks[0]: a hook has exactly one of http and exec"
            ),
            (
                "- {name: h, when: after_rollback, services: [a], exec: [t]}",
                "p.yml:8:45: hooks[0].services: after_rollback is not about one service"
            ),
            (
                "- {name: h, when: after_stage, services: [x], exec: [t]}",
                "p.yml:8:42: hooks: there is no service \"x\""
            ),
            (
                "- {name: h, when: after_stage, exec: [t], timeout: 1d}",
                "p.yml:8:52: hooks[0].timeout: must be at most 6h"
            ),
            (
                "- {name: h, when: after_stage, exec: [t]}\n- {name: h, when: after_stage, exec: [t]}",
                "p.yml:9:3: hooks[1]: the hook \"h\" appears twice"
            ),
        ])
    func faults(_ hooks: String, _ expected: String) {
        do throws(YAMLError) {
            _ = try RolloutPlan(parsing: Self.text(hooks), file: "p.yml")
            Issue.record("accepted")
        } catch {
            #expect(error.description.hasPrefix(expected), "\(error)")
        }
    }
}

extension MachineBench {
    /// The hook of `call` answers.
    mutating func answer(_ call: HookCall, _ verdict: HookAnswer.Verdict, _ detail: String = "") {
        let now = now
        step { machine in machine.step(at: now) { $0.hookAnswered(call.id, HookAnswer(verdict, detail), at: now) } }
    }
}
