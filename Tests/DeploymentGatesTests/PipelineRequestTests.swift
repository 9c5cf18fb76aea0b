import JSON
import MetricModel
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import DeploymentGates
@testable import Rollback

@Suite struct PipelineRequestTests {
    /// Two services whose counters grow by 100 requests every ten seconds, of which `failing` fail.
    private static func counters(failing: Double) -> @Sendable ([Matcher], Timestamp, Timestamp) -> [SeriesSamples] {
        { matchers, from, through in
            let name = matchers.first { $0.name == "__name__" }?.value ?? ""
            guard name.hasPrefix("http_requests_total"), matchers.contains(where: { $0.name == "service" }) else {
                return []
            }
            let times = Array(stride(from: from.milliseconds, through: through.milliseconds, by: 10_000))
            let rate = name.contains("5..") ? failing : 100
            return [
                SeriesSamples(
                    labels: ["__name__": "x", "instance": "i"], timestamps: times,
                    values: times.indices.map { Double($0) * rate })
            ]
        }
    }

    private func reading(failing: Double) throws -> JSON {
        let fixture = try GateFixture(samples: Self.counters(failing: failing))
        return try fixture.gates.serviceMetrics(
            Array(#"{"services": ["a", "b"], "window": "10m", "environment": "staging"}"#.utf8)
        ).get()
    }

    private func slow(_ expression: String) -> Result<[GateData.Element], GateData.Fault> {
        expression.contains("histogram_quantile")
            ? .success([.init(labels: ["service": "a"], value: 0.9), .init(labels: ["service": "b"], value: 0.1)])
            : .success([])
    }

    @Test("the platform's four bodies are accepted, their context is kept, and the ids are there")
    func bodies() throws {
        let fixture = try GateFixture(executor: "http://127.0.0.1:1/", values: slow)
        let analysis = try fixture.ask(
            .create, .deployment,
            """
            {"deployment_context": {"branch": "main", "commit": "abc", "anything": [1], "baseline_metrics": {"x": 1}}}
            """)
        #expect(analysis["deployment_context"]?["anything"] == [1])
        #expect(analysis["auto_improve"] == true)
        #expect(analysis["recommendations"]?.elements?.first?["service"] == "a")
        let wrapped: JSON = ["status": "success", "data": analysis, "recommendations": "again"]
        let improvement = try fixture.ask(
            .create, .improvement,
            """
            {"deployment_context": {"deployment_id": "7", "environment": "staging", "auto_apply": true},
             "improvement_request": \(wrapped.encoded)}
            """)
        #expect(improvement["improvement_id"]?.text?.hasPrefix("improvement-") == true)
        let request = try #require(improvement["request"])
        #expect(request["title"]?.text?.hasPrefix("deployment 7: service_improvement") == true, "\(request)")
        #expect(request["priority"] == "high" && request["service"] == "a")
        #expect(request["improvement_request"]?.encoded == analysis.encoded, "the data, once")
        let checkpoint = try fixture.ask(
            .create, .checkpoint, #"{"environment": "production", "deployment_id": 8, "services": ["a", "b", "z"]}"#)
        #expect(checkpoint["checkpoint_id"]?.text?.hasPrefix("checkpoint-") == true)
        #expect(checkpoint["uncovered"] == ["z"] && checkpoint["complete"] == false)
        #expect(
            try fixture.ask(.create, .checkpoint, #"{"services": ["a", "b"]}"#)["complete"] == true)
        #expect(
            fixture.refusal(.create, .deployment, #"{"deployment_context": 5}"#)
                == GateRefusal(.invalid, "deployment_context: expected an object"))
    }

    @Test("readings before and after are compared by counts; a regression is repaired if the pipeline wants that")
    func comparison() throws {
        let (good, bad) = (try reading(failing: 1), try reading(failing: 6))
        #expect(good["services"]?["a"]?["errors_ratio"]?.number == 0.01, "\(good.encoded)")
        #expect(good["services"]?["a"]?["metrics"]?["latency"]?["missing"] != nil)
        func body(_ after: JSON) -> String {
            """
            {"deployment_id": "7", "baseline_metrics": \(good.encoded), "post_deployment_metrics": \(after.encoded),
             "auto_improve": true, "environment": "staging",
             "metrics": [{"name": "errors", "events": "e", "of": "t"}]}
            """
        }
        let fixture = try GateFixture(executor: "http://127.0.0.1:1/", values: slow)
        let same = try fixture.ask(.create, .performanceChange, body(good))
        #expect(same["verdict"] == "pass", "\(same.encoded)")
        #expect(same["improvement_ids"] == nil && same["auto_improve"] == false)
        let worse = try fixture.ask(.create, .performanceChange, body(bad))
        #expect(worse["verdict"] == "fail" && worse["regressions"] == ["a errors", "b errors"], "\(worse.encoded)")
        #expect(worse["improvement_ids"]?.elements?.count == 2)
        #expect(worse["auto_improve_requested"] == true)
        let id = try #require(worse["improvement_ids"]?.elements?.first?.text)
        #expect(try fixture.ask(.read(id: id), .improvement)["request"]?["service"] == "a")
        #expect(try fixture.ask(.read(id: worse["id"]?.text ?? ""), .performanceChange) == worse)
    }

    @Test("numbers without counts are listed, and never pass")
    func numbers() throws {
        let fixture = try GateFixture()
        let answer = try fixture.ask(
            .create, .performanceChange,
            #"{"baseline_metrics": {"auth": {"p95": 120}}, "post_deployment_metrics": {"auth": {"p95": 110}}}"#)
        #expect(answer["verdict"] == "inconclusive")
        #expect(answer["reason"]?.text?.hasPrefix("auth.p95: 120 before, 110 after") == true, "\(answer.encoded)")
        #expect(
            try fixture.ask(.create, .performanceChange, #"{"baseline_metrics": {}, "post_deployment_metrics": {}}"#)[
                "verdict"] == "inconclusive")
        let broken =
            #"{"format": "tribune-metrics/1", "services": {"a": {"metrics": {"errors": {"events": [2], "of": [1]}}}}}"#
        #expect(
            fixture.refusal(
                .create, .performanceChange, "{\"baseline_metrics\": \(broken), \"post_deployment_metrics\": {}}")?
                .message.hasPrefix("baseline_metrics.services.a.metrics.errors: events and of") == true)
    }

    @Test("equal, healthy, fast services have no bottleneck; a slow caller with a slow dependency has one")
    func dependencies() throws {
        func survey(_ p95: [String: Double]) throws -> [JSON] {
            let fixture = try GateFixture(values: { expression in
                let names = ["a", "b"]
                if expression.contains("histogram_quantile") {
                    return .success(names.map { .init(labels: ["service": $0], value: p95[$0] ?? 0) })
                }
                if expression.contains("duration_seconds_sum") {
                    return .success(names.map { .init(labels: ["service": $0], value: 0.01) })
                }
                return .success([])
            })
            return (fixture.gates.bottlenecks()["bottlenecks"]?.elements ?? []).filter { $0["status"] == "bottleneck" }
        }
        #expect(try survey(["a": 0.01, "b": 0.01]).isEmpty)
        let found = try survey(["a": 0.2, "b": 0.6])
        // All of the platform waits for a, so the dependency has the higher score.
        #expect(found.map { $0["subject"] } == ["b → a", "b"], "\(found)")
        #expect(found.map { $0["severity"] } == ["medium", "medium"])
    }

    @Test("a look of a watch sees the data up to a fixed time, however often it is asked for")
    func looks() throws {
        let now = Timestamp(milliseconds: 1_000_000_000)
        func look(_ elapsed: Int64) throws -> WatchLook {
            let started = Double(now.milliseconds - elapsed) / 1000
            return try WatchLook(["started": .number(started), "duration": "600s"], path: "watch", now: now)
        }
        #expect(try look(29_999).number == 0)
        #expect(try look(30_000).number == 1 && look(59_999).number == 1)
        #expect(try look(45_000).end.milliseconds == now.milliseconds - 15_000)
        #expect(try look(600_000).isLast && look(6_000_000).window == .seconds(600))
        let confidence = try look(600_000).confidence(GateConfidence())
        #expect(confidence.significance < 0.01 && confidence.confidence > 0.95)
        #expect(throws: JSONFieldError.self) {
            try WatchLook(["started": 2_000_000, "duration": "600s"], path: "watch", now: now)
        }
        let fixture = try GateFixture()
        let answer = try fixture.ask(.create, .deployment, #"{"service": "a", "watch": {"duration": "10m"}}"#)
        #expect(answer["verdict"] == "inconclusive" && answer["watch"]?["look"] == 0)
        #expect(
            fixture.refusal(.create, .deployment, #"{"window": "1m", "watch": {}}"#)
                == GateRefusal(.invalid, "window: not allowed, because the watch determines it"))
    }
}
