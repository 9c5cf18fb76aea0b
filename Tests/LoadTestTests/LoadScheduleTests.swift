import Runtime
import Testing
import YAML

@testable import LoadTest

@Suite struct LoadScheduleTests {
    private func times(_ stages: [LoadStage]) -> [Double] {
        var schedule = LoadSchedule(stages)
        var times: [Double] = []
        while let time = schedule.popNext() { times.append(Double(time) / 1e9) }
        return times
    }

    @Test("a constant rate has equal distances")
    func constant() {
        #expect(times([LoadStage(seconds: 1, from: 4, to: 4)]) == [0, 0.25, 0.5, 0.75])
        #expect(LoadSchedule([LoadStage(seconds: 300, from: 100, to: 100)]).requests == 30_000)
    }

    @Test("a ramp has as many requests as the area below it, ever closer")
    func ramp() {
        let rising = times([LoadStage(seconds: 10, from: 0, to: 20)])
        #expect(rising.count == 100)
        // Half of the requests are due after the square root of one half of the time.
        #expect((rising[50] - 10 * 0.5.squareRoot()).magnitude < 1e-6)
        let distances = zip(rising.dropFirst(), rising).map { $0 - $1 }
        #expect(zip(distances, distances.dropFirst()).allSatisfy { $0 > $1 })
        let falling = times([LoadStage(seconds: 10, from: 20, to: 0)])
        #expect(falling.count == 100 && (falling.last ?? 0) < 10)
    }

    @Test("parts of requests at the end of a stage are not lost")
    func stages() {
        let all = times([
            LoadStage(seconds: 0.9, from: 1, to: 1), LoadStage(seconds: 0.7, from: 1, to: 1),
            LoadStage(seconds: 2, from: 0, to: 0), LoadStage(seconds: 1, from: 10, to: 10),
        ])
        #expect(all.count == 12)
        #expect((all[1] - 1).magnitude < 1e-6, "the second request is due a second after the first")
        #expect(all[2] >= 3.6 && all.last ?? 9 < 4.6)
        #expect(all == all.sorted())
    }

    @Test("targets are chosen by weight, without long runs")
    func rotation() {
        var rotation = WeightedRotation([3, 1])
        let chosen = (0..<8).map { _ in rotation.popNext() }
        #expect(chosen == [0, 0, 1, 0, 0, 0, 1, 0])
    }

    @Test(
        "thresholds are read in their units",
        arguments: [
            ("p99 < 5ms", 0.005), ("p99.9<=2s", 2), ("max < 1s", 1), ("errors<1%", 0.01), ("hash >= 100%", 1),
            ("rate >= 100", 100), ("auth: mean < 1m", 60),
        ])
    func thresholds(text: String, limit: Double) throws {
        #expect(try #require(LoadThreshold(text)).limit == limit)
    }

    @Test(
        "other forms are refused", arguments: ["p99", "p99 = 5ms", "p101 < 1s", "p99 < 5", "errors < x", "speed > 1"])
    func refusals(text: String) { #expect(LoadThreshold(text) == nil) }

    @Test("a threshold on something that was not measured does not hold")
    func unmeasured() throws {
        let result = LoadResult(targets: ["a"])
        for text in ["p99 < 1s", "errors < 100%", "hash >= 0%", "rate >= 0", "b: p99 < 1s"] {
            #expect(try #require(LoadThreshold(text)).holds(in: result) == false, "\(text)")
        }
    }

    private func plan(_ text: String) throws -> LoadPlan { try LoadPlan(YAML.parse(text)[0], file: "load.yml") }

    @Test("the shipped plan of the platform is 100 requests a second for 300 seconds over 50 connections")
    func shippedPlan() throws {
        let root = "\(#filePath)".split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
        let text = try #require(FileText.read("\(root)/config/acgs/load.yml"))
        let plan = try plan(text)
        #expect(plan.stages == LoadPlan().stages && plan.connections == 50)
        #expect(plan.targets.count == 5 && plan.thresholds.count == 5 && plan.hash?.value == "cdd01ef066bc6cf2")
    }

    @Test("a file has targets, stages and thresholds; errors name the field and the line")
    func file() throws {
        let plan = try plan(
            """
            connections: 20
            timeout: 2s
            hash: {value: abc}
            stages: [{duration: 10s, rate: 0, to: 50}, {duration: 1m}]
            targets:
            - {name: auth, url: "http://localhost:1/", headers: {X-A: b}, weight: 2, expect: [200, 204]}
            - {url: "http://localhost:2/", body: "{}"}
            thresholds: ["auth: p99 < 5ms"]
            """)
        #expect(plan.stages == [LoadStage(seconds: 10, from: 0, to: 50), LoadStage(seconds: 60, from: 50, to: 50)])
        #expect(plan.targets[0].expected == [200, 204] && plan.targets[1].method == "POST")
        #expect(plan.hash?.header == "X-Constitutional-Hash" && plan.connections == 20 && plan.timeout == 2)
        for (text, message) in [
            ("targets:\n- {url: ftp://x}", "load.yml:2:9: targets[0].url: expected a URL"),
            ("rate: 0", "load.yml:1:7: rate: must be between"), ("duration: long", "load.yml:1:11: duration: must be"),
            ("thresholds: [fast]", "thresholds[0]: expected"), ("rates: 5", "rates: unknown field"),
        ] {
            #expect(
                "\(#expect(throws: YAMLError.self) { try self.plan(text) }.map { "\($0)" } ?? "")".contains(message),
                "\(text)")
        }
        let defaults = LoadPlan()
        #expect(defaults.stages == [LoadStage(seconds: 300, from: 100, to: 100)] && defaults.connections == 50)
    }
}
