import SyntheticDeployments
import Testing

@testable import DeploymentGates
@testable import Rollback
@testable import RolloutRunner

@Suite struct RegressionTestTests {
    private func finding(_ stable: EventCount, _ candidate: EventCount, _ criteria: MetricCriteria = .init(name: "m"))
        -> MetricFinding
    {
        RegressionTest.findings(of: [(criteria, .counts(stable: [stable], candidate: [candidate]))], .init())[0]
    }

    private func count(_ events: Double, _ trials: Double) -> EventCount { EventCount(events: events, trials: trials) }

    @Test("new errors do not pass")
    func zeroBaseline() {
        let found = finding(count(0, 10_000), count(30, 10_000))
        #expect(found.verdict == .fail, "\(found.reason)")
        #expect(found.notes == ["the stable version has no events: the ratio has no upper limit"])
        // A few errors are not yet proof, but the gate reports them.
        #expect(finding(count(0, 1000), count(3, 1000)).verdict == .inconclusive)
    }

    @Test("high traffic does not fail a trivial change")
    func trivialChange() {
        let found = finding(count(100_000, 10_000_000), count(102_000, 10_000_000))
        #expect((found.adjusted ?? 1) < 1e-5)
        #expect(found.verdict == .pass, "\(found.reason)")
        #expect(found.reason.hasPrefix("worse, but below the relevant size"))
    }

    @Test("too small a sample is inconclusive and reports the requests needed")
    func smallSample() throws {
        let found = finding(count(1, 100), count(1, 100))
        #expect(found.verdict == .inconclusive)
        #expect((found.power ?? 1) < 0.2)
        let needed = try #require(found.needed)
        #expect(finding(count(needed / 100, needed), count(needed / 100, needed)).verdict == .pass)
    }

    @Test("no data at all is inconclusive with its reason, never a pass")
    func missing() {
        #expect(finding(count(0, 0), count(0, 100)).verdict == .inconclusive)
        #expect(finding(count(0, 100), count(0, 0)).reason == "no requests of the candidate")
        let findings = RegressionTest.findings(of: [(.init(name: "m"), .missing("no such series"))], .init())
        #expect(findings.map(\.reason) == ["no such series"])
        #expect(RegressionTest.verdict(of: findings) == .inconclusive)
        #expect(RegressionTest.verdict(of: []) == .inconclusive)
    }

    @Test("the direction is that of the metric")
    func direction() {
        let hits = MetricCriteria(name: "hits", better: .higher)
        #expect(finding(count(9900, 10_000), count(9500, 10_000), hits).verdict == .fail)
        #expect(finding(count(9500, 10_000), count(9900, 10_000), hits).verdict == .pass)
        #expect(finding(count(9500, 10_000), count(9900, 10_000)).effects[0].estimate > 0)
    }

    @Test("one metric out of many that is worse by chance does not fail the deployment")
    func manyMetrics() {
        let chance = (
            MetricCriteria(name: "odd"),
            MetricObservations.counts(
                stable: [count(10, 1000)], candidate: [count(25, 1000)])
        )
        let calm = (
            MetricCriteria(name: "calm"),
            MetricObservations.counts(
                stable: [count(100, 100_000)], candidate: [count(100, 100_000)])
        )
        #expect(RegressionTest.findings(of: [chance], .init())[0].verdict == .fail)
        let many = RegressionTest.findings(of: [chance] + Array(repeating: calm, count: 9), .init())
        #expect(many[0].verdict == .inconclusive, "\(many[0].reason)")
        #expect(many[0].adjusted == many[0].probability.map { $0 * 10 })
    }

    @Test("a slower candidate fails by rank, a slow tail by its share")
    func latency() {
        let bounds = [0.05, 0.1, 0.2, 0.4, 0.8, .infinity]
        func judge(_ stable: [Double], _ candidate: [Double]) -> [MetricFinding] {
            RegressionTest.findings(
                of: [(.init(name: "l"), .histogram(bounds: bounds, stable: [stable], candidate: [candidate]))], .init())
        }
        let base: [Double] = [1000, 4000, 3500, 1000, 450, 50]
        #expect(judge(base, base).map(\.verdict) == [.pass, .pass])
        let slower = judge(base, [700, 2900, 3700, 1800, 700, 200])
        #expect(slower[0].verdict == .fail && slower[0].test == .rank)
        let tail = judge(base, [1000, 3900, 3300, 750, 900, 150])
        #expect(tail.map(\.verdict) == [.pass, .fail], "\(tail.map(\.reason))")
        #expect(tail[1].notes.last == "the tail is everything above 0.4")
        #expect(judge([100, 0, 0, 0, 0, 0], [100, 0, 0, 0, 0, 0])[0].reason.contains("too coarse"))
        let median = judge(base, base)[0].stable.median ?? 0
        #expect((median - 0.1).magnitude < 1e-9)
    }

    @Test("samples of a gauge are compared by rank, with a relevant change in their own unit")
    func samples() {
        let criteria = MetricCriteria(
            name: "compliance", better: .higher, minimum: .init(absolute: 0.01, relative: 0))
        func judge(_ stable: [Double], _ candidate: [Double]) -> MetricFinding {
            RegressionTest.findings(
                of: [(criteria, .samples(stable: stable.map { [$0] }, candidate: candidate.map { [$0] }))], .init())[0]
        }
        let good = (0..<40).map { 0.98 + 0.002 * Double($0 % 5) }
        #expect(judge(good, good).verdict == .pass)
        #expect(judge(good, good.map { $0 - 0.05 }).verdict == .fail)
        #expect(judge(good, good.map { $0 + 0.05 }).verdict == .pass)
        #expect(judge([0.98, 0.99], [0.98, 0.99]).verdict == .inconclusive)
        let steady = [Double](repeating: 1, count: 20)
        #expect(judge(steady, steady).verdict == .pass)
    }

    @Test(
        "of all good deployments at most one in twenty fails, of all bad ones at most one in twenty passes, at every size",
        arguments: [(100, 120), (300, 80), (1000, 60), (3000, 40), (10_000, 40)])
    func labelledDeployments(requests: Int, each: Int) {
        let rate = DetectionRate(requests: requests, each: each)
        // The lower limits, not the shares: what a few cases happen to show proves nothing.
        #expect(rate.specificity.limits.lower >= 0.95, "\(rate.kinds)")
        #expect(rate.sensitivity.limits.lower >= 0.95, "\(rate.kinds)")
        if requests >= 1000 {
            #expect((rate.decidedSpecificity.share ?? 0) >= 0.95, "\(rate.kinds)")
            #expect((rate.decidedSensitivity.share ?? 0) >= 0.95, "\(rate.kinds)")
        }
        if requests >= 10_000 {
            #expect((rate.share(.fail, isBad: true).share ?? 0) >= 0.95, "\(rate.kinds)")
            #expect((rate.share(.pass, isBad: false).share ?? 0) >= 0.5, "\(rate.kinds)")
        }
    }

    @Test("a share has Wilson's limits, and none without cases")
    func proportions() {
        let none = Proportion(0, of: 100)
        // 1.96² / (100 + 1.96²)
        #expect(none.limits.lower == 0 && (none.limits.upper - 0.036993).magnitude < 1e-6)
        #expect(Proportion(0, of: 0).share == nil)
        #expect(Proportion(0, of: 0).limits.lower == 0 && Proportion(0, of: 0).limits.upper == 1)
    }
}
