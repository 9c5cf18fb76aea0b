import MetricModel
import Rollback
import RuleModel

/// The configuration of one seed's world: its services, its rule, and the faults with their frequency.
///
/// Each seed has only some of the faults (swarm testing): states that one fault prevents are reached by other seeds.
public struct Shape: Sendable {
    /// The plan.
    public var plan: RolloutPlan
    /// The rule that watches every service of the plan.
    public var rule: RollbackDefinition
    /// How long faults occur.
    public var length = Milliseconds.seconds(40)
    /// Milliseconds between two disturbances by users or the environment.
    public var pause: ClosedRange<Int64> = 200...4000
    /// Milliseconds between two measurements.
    public var interval: Int64 = 1000
    /// Faults of the environment, one of which strikes at each disturbance.
    var disturbances: [Fault] = []
    /// The probability of the other faults where they may strike.
    var rates: [(Fault, Double)] = []
    /// Seconds after the start of the world in which a rollout may start automatically, for a plan with a window.
    var window: ClosedRange<Int64>?
    /// Whether processes share a lease, so that they start without it.
    var hasLease: Bool { disturbances.contains { $0 == .rival || $0 == .handOver || $0 == .leaseOutage } }
    /// Whether a rollout starts immediately.
    var startsAtOnce = true
    /// Whether candidates get traffic from others before there is a rollout.
    var isUnmanaged = false

    /// A world of `plan` without faults.
    public init(calm plan: RolloutPlan) {
        self.plan = plan
        rule = Self.rule(of: plan)
    }

    /// The configuration of the world of `seed`.
    public init(seed: UInt64) {
        var random = SplitMix(state: seed &* 0x2545_F491_4F6C_DD1D &+ 1)
        plan = random.pick(Self.plans)
        rule = Self.rule(of: plan)
        rule.consecutive = Int(random.pick(1...3))
        rule.cooldown = .seconds(random.pick(2...20))
        rule.action.scope = random.pick(RollbackDefinition.Action.Scope.allCases)
        rule.missing = random.pick(Self.missing)
        rule.longestRange = random.pick([.zero, .seconds(2), .seconds(5)])
        if random.chance(0.5) { rule.clear = .init(condition: .init(.greaterOrEqual, 0.96), hold: .seconds(2)) }
        if random.chance(0.05) { rule.mode = .shadow }
        length = .seconds(random.pick(10...60))
        pause = random.chance(0.3) ? 50...800 : 200...4000
        startsAtOnce = random.chance(0.9)
        let surroundings: [Fault] = [
            .partition, .drift, .blackout, .sickStable, .badCandidate, .missingData, .vanishedData, .sparseData,
            .operatorCommand, .historyOutage, .rival, .reload, .clockJump, .handOver, .leaseOutage, .deadRoute,
        ]
        disturbances = surroundings.filter { _ in random.chance(0.5) }
        // Where a route is dead, little else happens.
        if random.chance(0.6) { disturbances.removeAll { $0 == .deadRoute } }
        // Most processes run alone.
        if random.chance(0.4) { disturbances.removeAll { $0 == .rival || $0 == .handOver || $0 == .leaseOutage } }
        if disturbances.isEmpty { disturbances = [.badCandidate] }
        if random.chance(0.4) { beginsByItself(&random) }
        let single: [(Fault, Double)] = [
            (.crash, 0.02), (.writeError, 0.03), (.hungJournal, 0.03), (.damagedJournal, 0.4), (.lostReply, 0.08),
            (.refusal, 0.1),
            (.duplicateReply, 0.1),
            (.slowRouter, 0.1), (.closedGate, 0.2),
        ]
        // After a crash, the clock may start elsewhere.
        if disturbances.contains(.clockJump) { rates.append((.clockJump, 0.5)) }
        for (fault, rate) in single where random.chance(0.5) { rates.append((fault, rate * random.pick([0.3, 1, 2]))) }
        if random.chance(0.08) { isSwitchedByOthers(&random) }
        if random.chance(0.15) { disturbances.append(.observation) }
        if random.chance(0.12) { cannotGoBack(&random) }
        if random.chance(0.25) { hasHooks(&random) }
        if !isUnmanaged, random.chance(0.1) { rule.action.reduceTo = Int(random.pick(1...30)) }
        if random.chance(0.15) {
            for index in plan.services.indices { plan.services[index].stages.insert(.testersOnly, at: 0) }
        }
    }

    /// A plan with hooks at some of the moments.
    private mutating func hasHooks(_ random: inout SplitMix) {
        plan.hooks = RolloutHook.Moment.allCases.filter { _ in random.chance(0.6) }.map { moment in
            RolloutHook(
                name: moment.rawValue, moment: moment, kind: .command(["true"]),
                services: moment.isOfService && random.chance(0.5) ? [plan.services[0].name] : [],
                timeout: .seconds(random.pick(1...8)))
        }
        rates.append((.hookTrouble, random.pick([0.2, 0.5])))
    }

    /// A plan of which some services cannot go back after their first stage.
    private mutating func cannotGoBack(_ random: inout SplitMix) {
        for index in plan.services.indices where random.chance(0.6) {
            plan.services[index].reversibleUntil =
                plan.services[index].stages.count > 1
                ? plan.services[index].stages[0].candidate : 0
        }
    }

    /// A plan without a rollout, whose candidates get traffic from others.
    private mutating func isSwitchedByOthers(_ random: inout SplitMix) {
        isUnmanaged = true
        startsAtOnce = false
        (plan.start, window) = (nil, nil)
        plan.unmanaged = random.chance(0.2) ? .page : .rollback
        disturbances.removeAll { $0 == .newVersion }
        disturbances += [.unmanagedTraffic, .unmanagedTraffic, .badCandidate]
    }

    /// A plan whose rollouts are scheduled, continuous, or both.
    private mutating func beginsByItself(_ random: inout SplitMix) {
        var start = RolloutStart(windows: [], version: nil)
        if random.chance(0.6) { start.version = "build" }
        if start.version == nil || random.chance(0.3) {
            // The world begins on a Friday at 08:00. Some windows end while faults occur, some begin then, or later.
            let first = random.pick(0...2)
            let minutes = random.pick(1...5)
            start.windows = [.init(days: [5], start: 480 + Int(first), end: 480 + Int(first + minutes))]
            window = 60 * first...60 * (first + minutes) - 1
        }
        if start.version != nil { disturbances.append(.newVersion) }
        plan.start = start
        startsAtOnce = random.chance(0.3)
    }

    /// Four services in the shape of a diamond, with gates of both kinds.
    public static let diamond = """
        plan: sim
        stages: [10, 100]
        bake: 4s
        settle: 6s
        reconcile: 10s
        retain_stable: 2h
        gate_timeout: 2m
        success_ratio: 0.5
        max_concurrent: 2
        validation: {rounds: 2, interval: 2s, timeout: 40s, rules: [R]}
        services:
        - {name: a, routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: b, depends: [a], gates: [{http: "http://gate/"}], routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: c, depends: [a, b], routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: d, depends: [a], gates: [{rule: R}], routes: [{exec: {shift: [s], read: [r]}}]}
        """

    private static let two = "routes: [{exec: {shift: [s], read: [r]}}, {exec: {shift: [t], read: [r]}}]"
    private static let single = """
        plan: sim
        stages: [50, 100]
        bake: 2s
        settle: 1s
        reconcile: 5s
        retain_stable: 2h
        gate_timeout: 20s
        validation: {rounds: 2, interval: 1s, timeout: 20s}
        services:
        - {name: a, gates: [{approval: go}], \(two)}
        """

    private static let chain = """
        plan: sim
        stages: [20, 100]
        bake: 2s
        settle: 2s
        reconcile: 5s
        retain_stable: 2h
        gate_timeout: 20s
        validation: {rounds: 1, interval: 1s, timeout: 20s, rules: [R]}
        services:
        - {name: a, routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: b, depends: [a], \(two)}
        - {name: c, depends: [b], routes: [{exec: {shift: [s], read: [r]}}]}
        """

    private static let flat = """
        plan: sim
        stages: [100]
        bake: 1s
        settle: 0s
        reconcile: 5s
        retain_stable: 30s
        gate_timeout: 20s
        success_ratio: 0.3
        max_concurrent: 3
        freeze_if: [R]
        validation: {rounds: 2, interval: 1s, timeout: 20s}
        services:
        - {name: a, routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: b, gates: [{http: "http://gate/"}], routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: c, routes: [{exec: {shift: [s], read: [r]}}]}
        """

    private static let quickDiamond: String = {
        var text = diamond
        for (long, short) in [
            ("bake: 4s", "bake: 2s"), ("settle: 6s", "settle: 2s"), ("reconcile: 10s", "reconcile: 5s"),
        ] {
            text = text.split(separator: long).joined(separator: short)
        }
        return text
    }()

    private static let plans: [RolloutPlan] = [single, chain, flat, quickDiamond].map { text in
        do {
            return try RolloutPlan(parsing: text, file: "simulation.yml")
        } catch {
            fatalError("\(error)")
        }
    }

    private static let missing: [RollbackDefinition.MissingPolicy] = [
        .init(), .init(), .init(policy: .hold, after: .seconds(3), then: .freeze),
        .init(policy: .hold, after: .seconds(4), then: .trip), .init(policy: .pass), .init(policy: .trip),
        .init(policy: .freeze), .init(policy: .alert),
    ]

    private static func rule(of plan: RolloutPlan) -> RollbackDefinition {
        RollbackDefinition(
            name: "R", expression: "x", trip: .init(.less, 0.95), cooldown: .seconds(30),
            action: .init(plan: plan.name, scope: .serviceAndDependents))
    }
}
