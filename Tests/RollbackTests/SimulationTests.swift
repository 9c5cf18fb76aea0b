import RollbackSimulation
import Testing

/// Seeded worlds. `scripts/simulate.sh` runs many more, optimised; it prints how to repeat what fails.
struct SimulationTests {
    @Test("the invariants hold at every step of every seeded world")
    func seeds() throws {
        let totals = try Campaign.run(1..<301, threads: 1)
        for failure in totals.failures.prefix(3) {
            let strikes = Campaign.shrink(seed: failure.seed)?.strikes.map(\.description).joined(separator: ",")
            Issue.record("--seed \(failure.seed) --keep \(strikes ?? ""): \(failure.violation)")
        }
        for invariant in Invariant.allCases {
            #expect(totals.checks[invariant.rawValue] > 10, "\(invariant) was hardly checked")
        }
        for fault in Fault.allCases { #expect(totals.strikes[fault.rawValue] > 10, "\(fault) hardly struck") }
    }

    @Test("every defect of the runner is found by the invariant that it violates", arguments: Sabotage.allCases)
    func sabotage(_ sabotage: Sabotage) throws {
        let totals = try Campaign.run(1..<1001, threads: 1, sabotage: sabotage, limit: 1)
        let found = Set(totals.failures.map(\.violation.invariant))
        #expect(!found.isDisjoint(with: sabotage.foundBy), "found \(found.map(\.rawValue))")
    }

    @Test(
        "worlds in which a check once failed hold",
        arguments: [
            // A rule that had tripped before its first data held promotion back for ever.
            (48232, "slowRouter#1,missingData#1,clockJump#1,operatorCommand#2,clockJump#2"),
            // A rollout that began because the rules no longer held it back went on with what they had counted before.
            (65910, "lostReply#1,lostReply#2,badCandidate#1,lostReply#3,missingData#1"),
            // A rule that had tripped while nothing was known of a candidate's traffic took its trip for handled.
            (178, "crash#1,missingData#1"), (1879, "crash#1,damagedJournal#1,crash#2"),
            // A dependent whose last operation had no reply since before its dependency joined the rollback.
            (5674, "refusal#1,lostReply#1,partition#2,writeError#1,lostReply#2"),
            // Two notifications: by a process that returned, and by one that won the lease.
            (4756, "badCandidate#1,crash#1"), (1467, "clockJump#1,badCandidate#2,crash#2"),
            (
                688,
                "reload#2,operatorCommand#2,crash#2,drift#2,partition#2,operatorCommand#3,newVersion#1,missingData#1,crash#3"
            ),
            // The record of a new rollout with the trips of the last one.
            (27285, nil),
            // A clock that was set back to exactly the time of the last evaluation.
            (77611, nil), (98505, nil), (180738, nil),
            // Checks that took for known what only a crashed process or the lease's table had known.
            (29317, nil), (38918, nil), (39539, nil), (46961, nil), (51987, nil), (54511, nil), (68598, nil),
            (93833, nil),
            (94062, nil), (194703, nil),
            // An order to take unmanaged traffic back was refused after its services had become those of a rollout.
            (29744, "crash#1,drift#2,refusal#3,refusal#4,refusal#5,crash#2,drift#4,refusal#10,refusal#11"),
            // A rollback of a service whose dependent cannot go back waited for an order that was refused.
            (28169, "slowRouter#1,reload#1,unmanagedTraffic#1,unmanagedTraffic#2,unmanagedTraffic#4,badCandidate#2"),
            // A node that took over a rollback of one service went on with the stage of another one afterwards.
            (30132, "sickStable#1,clockJump#1,slowRouter#3,hookTrouble#1,handOver#1"),
            // A page about a trip of several services ended with the traffic of the first one.
            (37060, "slowRouter#1,drift#1,drift#2,lostReply#1,reload#2,badCandidate#1,blackout#2"), (70423, nil),
            (
                77758,
                "partition#1,badCandidate#2,partition#2,unmanagedTraffic#2,unmanagedTraffic#3,lostReply#1,blackout#2,badCandidate#3"
            ),
            // Checks that did not know what a process finds that ended while a rival had the lease.
            (52570, nil), (54875, "hungJournal#1,vanishedData#1,hungJournal#2,observation#1,rival#1,crash#1"),
            // A check that took an older record of the same term for the last one.
            (83615, "lostReply#1,observation#1,handOver#1,crash#1,handOver#2"),
            // A check that forgot that trips count again at each start with an unacknowledged loss.
            (34831, nil),
            // A check that doubted the traffic of a service which nobody can have taken back.
            (16226, nil), (4687, nil), (5460, nil), (6327, nil), (7245, nil), (9083, nil), (26080, nil),
        ] as [(UInt64, String?)])
    func regressions(seed: UInt64, strikes: String?) {
        let shrunk = strikes.map { Set($0.split(separator: ",").compactMap { Strike(String($0)) }) }
        for kept in shrunk.map({ [nil, $0] }) ?? [nil] {
            var world = World(seed: seed, kept: kept)
            world.live()
            #expect(world.violations == [])
        }
    }

    @Test("each invariant is the only one that finds some defect, so that no check is useless")
    func coverage() {
        let found = Sabotage.allCases.filter { $0.foundBy.count == 1 }.reduce(into: Set<Invariant>()) {
            $0.formUnion($1.foundBy)
        }
        #expect(found == Set(Invariant.allCases))
    }

    @Test("a failing world shrinks to necessary strikes, and repeats from its seed")
    func shrinking() throws {
        let totals = try Campaign.run(300..<1001, threads: 1, sabotage: .skipsCooldown, limit: 1)
        let failure = try #require(totals.failures.first)
        let small = try #require(Campaign.shrink(seed: failure.seed, sabotage: .skipsCooldown))
        func violation(_ strikes: [Strike]) -> Violation? {
            var world = World(seed: failure.seed, kept: Set(strikes), sabotage: .skipsCooldown)
            world.live()
            return world.violations.first
        }
        var whole = World(seed: failure.seed, sabotage: .skipsCooldown)
        whole.live()
        #expect(small.strikes.count < whole.strikes.count, "\(small.strikes) of \(whole.strikes.count)")
        #expect(violation(small.strikes) == small.violation)
        for strike in small.strikes {
            #expect(violation(small.strikes.filter { $0 != strike })?.invariant != small.violation.invariant)
        }
    }
}
