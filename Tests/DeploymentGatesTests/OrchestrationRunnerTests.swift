import JSON
import MetricModel
import Synchronization
import TestSupport
import Testing

@testable import DeploymentGates
@testable import Rollback

@Suite struct OrchestrationRunnerTests {
    /// What an executor was asked for.
    private final class Received: Sendable {
        let improvements = Mutex<[(id: String, service: String)]>([])
        var services: [String] { improvements.withLock { $0.map(\.service) } }
    }

    private func executor(_ received: Received) -> LoopbackServer {
        LoopbackServer { request in
            guard let body = try? JSON(parsing: request.body), let id = body["improvement_id"]?.text else {
                return .ok("", status: "400 Bad Request")
            }
            let service = body["request"]?["service"]?.text ?? ""
            received.improvements.withLock { $0.append((id, service)) }
            return .ok("{}", status: "202 Accepted")
        }
    }

    private func fast(enabled: Bool = true) -> OrchestrationConfiguration {
        var configuration = OrchestrationConfiguration()
        configuration.isEnabled = enabled
        configuration.interval = .milliseconds(100)
        configuration.stabilization = .milliseconds(10)
        return configuration
    }

    /// Both services of the plan are too slow; b depends on a.
    private static let slow: @Sendable (String) -> Result<[GateData.Element], GateData.Fault> = { expression in
        expression.contains("histogram_quantile")
            ? .success([.init(labels: ["service": "a"], value: 2), .init(labels: ["service": "b"], value: 2)])
            : .success([])
    }

    @Test("a cycle sends improvements by level, waits for their reports, and is recorded with what was measured")
    func cycle() throws {
        let received = Received()
        let server = executor(received)
        defer { server.stop() }
        let fixture = try GateFixture(executor: "\(server.url)/", orchestration: fast(), values: Self.slow)
        #expect(Loopback.eventually { received.services == ["a"] })
        let first = received.improvements.withLock { $0[0].id }
        _ = try fixture.ask(.report(id: first), .improvement, #"{"status": "succeeded"}"#)
        #expect(Loopback.eventually { received.services == ["a", "b"] })
        let second = received.improvements.withLock { $0[1].id }
        _ = try fixture.ask(.report(id: second), .improvement, #"{"status": "failed", "detail": "no"}"#)
        #expect(
            Loopback.eventually {
                fixture.events.contains { $0.body["orchestration"]?["outcome"]?["outcome"] == "paused" }
            })
        let cycle = fixture.events.compactMap { $0.body["orchestration"] }.first
        let found = cycle?["survey"]?["service_bottlenecks"]?.elements ?? []
        #expect(found.map { $0["subject"] } == ["a", "b"] && found[0]["severity"] == "critical", "\(found)")
        #expect(cycle?["survey"]?["metrics"]?.elements?.count == 2)
        let record = try fixture.ask(.read(id: first), .improvement)
        #expect(record["actor"] == "orchestrator" && record["status"] == "succeeded")
        #expect(record["request"]?["parameters"]?["target_value"]?.number == 0.5)
        #expect(fixture.gates.orchestration()["services"]?.elements?.count == 7)
    }

    @Test("without measurements a cycle fails; switched off, nothing is sent")
    func nothing() throws {
        let received = Received()
        let server = executor(received)
        defer { server.stop() }
        let blind = try GateFixture(executor: "\(server.url)/", orchestration: fast())
        #expect(
            Loopback.eventually {
                blind.events.contains { $0.body["orchestration"]?["outcome"]?["outcome"] == "failed" }
            })
        let off = try GateFixture(executor: "\(server.url)/", orchestration: fast(enabled: false), values: Self.slow)
        #expect(off.gates.orchestration()["enabled"] == false && off.gates.orchestration()["next"] == .some(.null))
        #expect(received.services.isEmpty)
    }
}
