import JSON
import MetricModel
import RuleModel
import Testing

@testable import Rollback
@testable import Tracing

/// Events of a rollback as the controller makes them, and the spans that they become.
struct IncidentScript {
    static let second: Int64 = 1_000_000_000
    /// 2026-11-29T12:00:00Z
    static let base: Int64 = 1_795_953_600 * second
    let trip: Trip
    var record: RollbackRecord

    init() {
        let definition = RollbackDefinition(
            name: "ErrorsHigh", expression: "errors", trip: .init(.greater, 5), action: .init(plan: "shop"))
        var measurement = RollbackMeasurement(
            rule: "rules.yml;g;ErrorsHigh", ruleHash: "ab", definition: definition, time: Self.time(2).timestamp,
            elements: [.init(labels: ["service": "cart"], value: 9, sampledAt: Self.time(2).timestamp)])
        measurement.causeNanoseconds = 7
        trip = Trip(
            of: measurement, labels: ["service": "cart"],
            samples: [
                .init(time: Self.time(1).timestamp, value: 7), .init(time: Self.time(2).timestamp, value: 9),
            ])
        record = RollbackRecord(
            id: "shop-1-1", generation: 1, number: 1, causes: [.trip(trip)], services: ["cart"])
    }

    static func time(_ seconds: Double) -> Instant {
        Instant(nanoseconds: base + Int64((seconds * 1000).rounded()) * 1_000_000)
    }

    func decision(_ text: String = "roll back cart", committed: Double? = 2.03, at: Double = 2.05) -> RollbackEvent {
        RollbackEvent(
            at: Self.time(at), kind: .decision, subject: "shop", body: ["decision": .string(text)],
            incident: trip.incident, meaning: .decided(trip, committedAt: committed.map(Self.time)))
    }

    mutating func step(
        _ name: String, _ service: String? = nil, route: String? = nil, _ detail: String = "", at: Double
    ) -> RollbackEvent {
        record.timeline.append(.init(at: Self.time(at), step: name, service: service, detail: detail))
        return RollbackEvent(
            at: Self.time(at), kind: .step, subject: "shop", body: [:], incident: record.incident,
            meaning: .stepped(.init(name: name, service: service, route: route, detail: detail, rollback: record)))
    }
}

@Suite struct IncidentSpansTests {
    private func text(_ spans: [Span]) -> [String] {
        spans.map { span in
            func seconds(_ time: Int64) -> String {
                "\(Double((time - IncidentScript.base) / 1_000_000) / 1000)"
            }
            return "\(span.name) \(seconds(span.start))–\(seconds(span.end))"
        }
    }

    @Test func `a rollback becomes one trace with the times of its steps`() throws {
        var script = IncidentScript()
        var machine = IncidentSpans()
        var spans = machine.happened(script.decision())
        spans += machine.happened(script.step("decided", at: 2.05))
        spans += machine.happened(script.step("intended", nil, "cart", at: 2.06))
        spans += machine.happened(script.step("shifted", "cart", route: "blue", "acknowledged", at: 2.10))
        spans += machine.happened(script.step("verified", "cart", route: "blue", "read back 100/0", at: 2.12))
        spans += machine.happened(script.step("isolated", "cart", route: "blue", "isolated", at: 2.2))
        spans += machine.happened(script.step("announced", at: 2.3))
        spans += machine.happened(script.step("validated", nil, "stable healthy", at: 8))
        script.record.verdict = .init(isValid: true, detail: "stable healthy")
        spans += machine.happened(script.step("reported", nil, "stable healthy", at: 8.1))
        #expect(
            text(spans) == [
                "scrape 2.0–2.03", "decision 2.03–2.05", "shift 2.06–2.1", "read back 2.1–2.12", "isolate 2.12–2.2",
                "validate 2.3–8.0", "incident 1.0–8.1",
            ])
        #expect(Set(spans.map(\.trace)).count == 1)
        let root = try #require(spans.last)
        #expect(root.parent.isEmpty && spans.dropLast().allSatisfy { $0.parent == root.id })
        #expect(Set(spans.map(\.id)).count == spans.count)
        #expect(root.status == .ok && root.attributes.contains(.init("tribune.incident", script.trip.incident)))
        #expect(root.events.map(\.name).prefix(2) == ["decided", "intended"])
        #expect(spans[1].events.map(\.name) == ["violation", "violation"])
        #expect(machine.timePassed(at: IncidentScript.time(1000)).isEmpty)
    }

    @Test func `after a restart the steps go on in the same trace with the times from before`() {
        var script = IncidentScript()
        var first = IncidentSpans()
        let before = first.happened(script.decision())
        _ = first.happened(script.step("intended", nil, "cart", at: 2.06))
        var second = IncidentSpans()
        let after = second.happened(script.step("shifted", "cart", route: "blue", "acknowledged", at: 40))
        #expect(text(after) == ["shift 2.06–40.0"])
        #expect(after[0].trace == before[0].trace && after[0].parent == before[0].parent)
    }

    @Test func `a step of one of several routes begins with the former step of that route`() {
        var script = IncidentScript()
        var machine = IncidentSpans()
        _ = machine.happened(script.step("intended", nil, "cart", at: 2))
        _ = machine.happened(script.step("shifted", "cart", route: "east", "east: acknowledged", at: 3))
        _ = machine.happened(script.step("shifted", "cart", route: "west", "west: acknowledged", at: 4))
        let verified = machine.happened(script.step("verified", "cart", route: "east", "east: read back", at: 5))
        #expect(text(verified) == ["read back 3.0–5.0"])
    }

    @Test func `a decision without steps ends its incident`() throws {
        let script = IncidentScript()
        var machine = IncidentSpans()
        let spans = machine.happened(script.decision("shadow: would roll back cart", committed: nil))
        // Without the commit of a scrape, the decision begins with the evaluation.
        #expect(text(spans) == ["decision 2.0–2.05"])
        #expect(spans[0].events.first?.name == "sample taken")
        #expect(machine.timePassed(at: IncidentScript.time(30)).isEmpty)
        let roots = machine.timePassed(at: IncidentScript.time(33))
        #expect(text(roots) == ["incident 1.0–2.05"])
        #expect(roots[0].attributes.contains(.init("tribune.decision", "shadow: would roll back cart")))
        #expect(machine.timePassed(at: IncidentScript.time(90)).isEmpty)
    }

    @Test func `an unconfirmed rollback is an error`() {
        var script = IncidentScript()
        var machine = IncidentSpans()
        _ = machine.happened(script.step("announced", at: 3))
        let invalid = machine.happened(script.step("invalid", nil, "stable is down", at: 9))
        script.record.verdict = .init(isValid: false, detail: "stable is down")
        let root = machine.happened(script.step("reported", nil, "", at: 9))
        #expect(invalid.map(\.status) == [.error("stable is down")])
        #expect(root.map(\.status) == [.error("stable is down")])
    }

    @Test func `waiting decisions are bounded`() {
        let script = IncidentScript()
        var machine = IncidentSpans()
        for number in 0..<1500 {
            var event = script.decision("no rollout")
            event.incident = "incident-\(number)"
            _ = machine.happened(event)
        }
        #expect(machine.timePassed(at: IncidentScript.time(100)).count == 1000)
    }

    @Test func `the id of a trace depends on the incident alone`() {
        let trace = TraceID(incident: "ErrorsHigh-1")
        // printf 'tribune incident ErrorsHigh-1' | sha256sum | cut -c 1-32
        #expect("\(trace)" == "975a6268f2896bcff18ce57afa9dd756")
        #expect(TraceID(incident: "ErrorsHigh-2") != trace)
    }

    @Test func `the sampled share is the fraction`() {
        let traces = (0..<10_000).map { TraceID(incident: "\($0)") }
        #expect(traces.allSatisfy { $0.isSampled(1) && !$0.isSampled(0) })
        let share = traces.count { $0.isSampled(0.25) }
        #expect((2300...2700).contains(share))
        // A smaller share is part of a larger one.
        #expect(traces.allSatisfy { !$0.isSampled(0.1) || $0.isSampled(0.25) })
    }

    @Test func `a span that would end before its start ends at its start`() {
        let span = Span(TraceID(incident: "x"), "k", in: nil, named: "n", from: 10, to: 5)
        #expect(span.end == 10)
    }
}
