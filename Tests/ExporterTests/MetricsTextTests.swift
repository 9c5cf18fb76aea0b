import CurlHTTP
import Instrumentation
import MetricModel
import RuleEngine
import RuleModel
import Runtime
import Synchronization
import Testing
import WebFixture

@testable import Exporter
@testable import Rollback
@testable import RolloutRunner

@Suite struct MetricsTextTests {
    private static func registry() -> Registry {
        let registry = Registry()
        registry.counter("t_done_total", "What \\ is\ndone.", labels: ["kind": "a\"b\\c\nd"]).add(3)
        registry.gauge("t_size_bytes", "A size.").set(-1.5)
        let histogram = registry.histogram("t_wait_seconds", "A wait.", bounds: [0.1, 1])
        for value in [0.05, 0.5, 0.5, 7] { histogram.observe(value) }
        return registry
    }

    @Test func prometheusText() {
        #expect(
            String(decoding: MetricsText.text(of: Self.registry().snapshot(), .prometheus), as: UTF8.self) == #"""
                # HELP t_done_total What \\ is\ndone.
                # TYPE t_done_total counter
                t_done_total{kind="a\"b\\c\nd"} 3
                # HELP t_size_bytes A size.
                # TYPE t_size_bytes gauge
                t_size_bytes -1.5
                # HELP t_wait_seconds A wait.
                # TYPE t_wait_seconds histogram
                t_wait_seconds_bucket{le="0.1"} 1
                t_wait_seconds_bucket{le="1"} 3
                t_wait_seconds_bucket{le="+Inf"} 4
                t_wait_seconds_sum 8.05
                t_wait_seconds_count 4

                """#)
    }

    @Test func openMetricsText() {
        #expect(
            String(decoding: MetricsText.text(of: Self.registry().snapshot(), .openMetrics), as: UTF8.self) == #"""
                # HELP t_done What \\ is\ndone.
                # TYPE t_done counter
                t_done_total{kind="a\"b\\c\nd"} 3
                # HELP t_size_bytes A size.
                # TYPE t_size_bytes gauge
                t_size_bytes -1.5
                # HELP t_wait_seconds A wait.
                # TYPE t_wait_seconds histogram
                t_wait_seconds_bucket{le="0.1"} 1
                t_wait_seconds_bucket{le="1.0"} 3
                t_wait_seconds_bucket{le="+Inf"} 4
                t_wait_seconds_sum 8.05
                t_wait_seconds_count 4
                # EOF

                """#)
    }

    @Test(arguments: [
        (nil, ExpositionFormat.Syntax.prometheus), ("", .prometheus), ("*/*", .prometheus),
        ("application/json", .prometheus),
        ("application/openmetrics-text; version=1.0.0", .openMetrics),
        ("text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;q=0.6", .openMetrics),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.3", .prometheus),
        (
            "application/vnd.google.protobuf;proto=x;q=0.9, application/openmetrics-text;version=1.0.0;q=0.8,"
                + "text/plain;version=0.0.4;q=0.7,*/*;q=0.1", .openMetrics
        ),
    ])
    func formatFollowsTheAcceptHeader(accept: String?, format: ExpositionFormat.Syntax) {
        #expect(ExpositionFormat(accepting: accept).syntax == format)
    }

    @Test func ownMetricsCountRequests() throws {
        let fixture = try WebFixture()
        _ = try fixture.send("/api/v1/rules")
        _ = try fixture.send("/nowhere")
        let text = try fixture.text("/metrics")
        #expect(text.contains(#"tribune_http_requests_total{handler="/api/v1/rules",code="200"} 1"#))
        #expect(text.contains(#"tribune_http_requests_total{handler="unknown",code="404"} 1"#))
        #expect(text.contains("\nprocess_resident_memory_bytes "))
        let open = try fixture.send("/metrics", headers: [("Accept", "application/openmetrics-text")])
        #expect(
            open["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores")
    }

    @Test func rolloutsAndRollbackRulesAreMetricsAndGoWhenTheyAreGone() throws {
        final class State: Sendable {
            let rollouts = Mutex<[RolloutSnapshot]>([])
        }
        let state = State()
        let fixture = try WebFixture(sources: { sources in
            sources.rollouts = { state.rollouts.withLock { $0 } }
            sources.ruleGroups = {
                let rule = RuleSnapshot(
                    name: "Low", query: "x", labels: .empty,
                    kind: .rollback(
                        trip: "< 1", severity: "high", mode: "enforce", streak: 2, annotations: .empty,
                        alerts: [
                            ActiveAlertSnapshot(
                                labels: ["alertname": "Low"], annotations: .empty, state: .firing,
                                activeAt: Timestamp(milliseconds: 0), keepFiringSince: nil, value: 0)
                        ]),
                    health: .ok, lastError: "", evaluationSeconds: 0, lastEvaluation: nil)
                return [
                    RuleGroupSnapshot(
                        name: "g", file: "f", interval: .seconds(1), limit: 0, rules: [rule], evaluationSeconds: 0,
                        lastEvaluation: nil)
                ]
            }
        })
        let plan = try RolloutPlan(
            parsing: "plan: p\nstages: [10, 100]\nservices: [{name: auth, routes: [{exec: {shift: [s], read: [r]}}]}]",
            file: "p.yml")
        var rollout = RolloutState()
        rollout.phase = .promoting
        var service = ServiceRollout()
        service.split = try #require(TrafficSplit(candidate: 25))
        service.frozen = "x"
        rollout.services = ["auth": service]
        let controller = RolloutController(plan: plan, state: rollout)
        var snapshot = RolloutSnapshot(controller, at: Instant(nanoseconds: 0))
        state.rollouts.withLock { $0 = [snapshot] }
        #expect(try !fixture.text("/metrics").contains("tribune_route_up{"), "nothing was read")
        snapshot.services[0].routes[0].view.reading = Inspection(split: .allStable, stable: .healthy)
        snapshot.services[0].routes[0].view.readAt = Instant(nanoseconds: 0)
        state.rollouts.withLock { $0 = [snapshot] }
        let text = try fixture.text("/metrics")
        for line in [
            #"tribune_rollout_candidate_weight_ratio{plan="p",service="auth"} 0.25"#,
            #"tribune_rollout_weight_ratio{plan="p",service="auth",route="1",kind="desired"} 0.25"#,
            #"tribune_rollout_weight_ratio{plan="p",service="auth",route="1",kind="observed"} 0"#,
            #"tribune_route_up{plan="p",service="auth",route="1"} 1"#,
            #"tribune_rollout_service_frozen{plan="p",service="auth"} 1"#,
            #"tribune_rollout_state{plan="p",state="promoting"} 1"#,
            #"tribune_rollout_journal_up{plan="p"} 1"#,
            #"tribune_rollback_rule_tripped{rule_group="g",rule="Low"} 1"#,
            #"tribune_rollback_rule_streak{rule_group="g",rule="Low"} 2"#,
        ] {
            #expect(text.contains(line + "\n"))
        }
        snapshot.services[0].routes[0].view.unreadableSince = Instant(nanoseconds: 5)
        snapshot.journal = "no space left on device"
        state.rollouts.withLock { $0 = [snapshot] }
        let dead = try fixture.text("/metrics")
        #expect(dead.contains(#"tribune_route_up{plan="p",service="auth",route="1"} 0"# + "\n"))
        #expect(dead.contains(#"tribune_rollout_journal_up{plan="p"} 0"# + "\n"))
        #expect(!dead.contains(#"kind="observed""#), "an old reading is not passed off as a present one")
        state.rollouts.withLock { $0 = [] }
        #expect(try !fixture.text("/metrics").contains("tribune_rollout_"))
    }

    @Test func largeAnswersAreCompressed() throws {
        let fixture = try WebFixture()
        let plain = try fixture.send("/metrics", headers: [("Accept-Encoding", "identity")])
        let packed = try fixture.send("/metrics", headers: [("Accept-Encoding", "gzip")])
        #expect(packed["Content-Encoding"] == "gzip")
        #expect(packed.body.count < plain.body.count)
    }
}
