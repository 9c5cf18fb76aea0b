import SyntheticDeployments
import Testing

@testable import DeploymentGates

@Suite struct SpendingScheduleTests {
    @Test("the levels of the looks are those of an independent integration with twice as many points")
    func levels() {
        // numpy 2.4.6, 600 points for each look.
        for (level, power, wanted) in [
            (0.01, 1.0, [0.0005, 0.00058, 0.0015, 0.0028]), (0.01, 2.0, [2.5e-5, 7.9e-5, 0.0012, 0.0047]),
            (0.05, 3.0, [6.2e-6, 4.5e-5, 0.0041, 0.036]),
        ] {
            let levels = SpendingSchedule(level: level, power: power, looks: 20).levels
            for (look, value) in zip([0, 1, 9, 19], wanted) {
                #expect((levels[look] / value - 1).magnitude < 0.06, "\(level) \(power) look \(look): \(levels[look])")
            }
            #expect(levels == levels.sorted(), "a later look needs less")
        }
        // One look is a plain test.
        #expect((SpendingSchedule(level: 0.01, power: 4, looks: 1).levels[0] - 0.01).magnitude < 1e-6)
    }

    @Test("walks without a drift cross some boundary with the probability that was to be spent")
    func simulation() {
        let looks = 10
        let schedule = SpendingSchedule(level: 0.05, power: 2, looks: looks)
        let bounds = schedule.levels.map { -Normal.quantile($0) }
        var random = SeededNormal(seed: 3)
        let walks = 20_000
        var crossed = 0
        for _ in 0..<walks {
            var sum = 0.0
            for look in 1...looks {
                sum += random.next()
                if sum / Double(look).squareRoot() >= bounds[look - 1] {
                    crossed += 1
                    break
                }
            }
        }
        let limits = Proportion(crossed, of: walks).limits
        #expect(limits.lower < 0.0515 && limits.upper > 0.0485, "\(crossed) of \(walks)")
    }

    @Test("a watch of identical versions under little traffic hardly ever fails, and goes on watching")
    func identical() {
        // 3.3 requests a second for ten minutes are 2000 requests.
        let rate = WatchRate(rate: 3.3, each: 120)
        #expect(rate.identicalNotFailed.limits.lower >= 0.94, "\(rate.decisions)")
        #expect(rate.worseNotPassed.limits.lower >= 0.94, "\(rate.decisions)")
    }

    @Test(
        "at 100 requests a second, 95 of 100 deployments under common disturbances are decided correctly in ten minutes"
    )
    func decided() {
        let rate = WatchRate(rate: 100, common: 1, each: 50)
        #expect(rate.correct(within: 600).limits.lower >= 0.95, "\(rate.decisions)")
        // More traffic decides: at a thirtieth of it, most are still undecided.
        let less = WatchRate(rate: 3.3, common: 1, each: 20)
        #expect((less.correct(within: 600).share ?? 1) < (rate.correct(within: 600).share ?? 0))
    }
}

/// Normal numbers from a seed, by Irwin and Hall's sum of twelve.
private struct SeededNormal {
    var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> Double {
        var sum = -6.0
        for _ in 0..<12 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            sum += Double(state >> 11) * 0x1p-53
        }
        return sum
    }
}
