public import JSON
public import Lease
internal import MetricModel
public import Rollback
internal import Runtime

/// The state of a rollout, for the API and the web pages.
public struct RolloutSnapshot: Equatable, Sendable {
    /// One service of the rollout.
    public struct Service: Equatable, Sendable {
        /// The service's name.
        public var name: String
        /// `waiting`, `shifting`, `baking`, `promoted`, `rolling_back` or `rolled_back`.
        public var progress: String
        /// The wanted weights.
        public var split: TrafficSplit
        /// Why nothing can be done at present.
        public var frozen: String?
        /// What it depends on.
        public var depends: [String]
        /// What people check before its rollout begins.
        public var preflight: [String]
    }

    /// The plan's name.
    public var plan: String
    /// The number of this rollout.
    public var generation: UInt64
    /// `idle`, `promoting`, `paused`, `promoted`, `retired`, `rolling_back` or `rolled_back`.
    public var phase: String
    /// Why it is paused, why promotion is stopped, or what a partial rollback has left.
    public var obstacle: String?
    /// The fencing number of the lease; `nil` while another process has it.
    public var epoch: UInt64?
    /// The lease that decides which of several processes acts; `nil` for one that runs alone.
    public var lease: LeaseStatus?
    /// The services in the order of promotion.
    public var services: [Service]
    /// The end of the cooldown.
    public var cooldownUntil: Instant?
    /// The active rollback, or the last one.
    public var report: RollbackReport?

    init(_ controller: RolloutController, at now: Instant) {
        let state = controller.state
        plan = controller.plan.name
        generation = state.generation
        phase = state.phase.name
        obstacle = controller.standstill(at: now)
        epoch = controller.epoch
        services = controller.plan.services.map { service in
            let current = state.services[service.name] ?? ServiceRollout()
            return Service(
                name: service.name, progress: current.progress.name, split: current.split, frozen: current.frozen,
                depends: service.depends, preflight: service.preflight)
        }
        cooldownUntil = state.cooldownUntil
        report = state.rollback.map {
            RollbackReport(plan: controller.plan.name, epoch: controller.epoch ?? 0, rollback: $0)
        }
    }

    /// The snapshot as JSON.
    public var json: JSON {
        [
            "plan": .string(plan), "generation": .integer(Int64(clamping: generation)), "phase": .string(phase),
            "obstacle": obstacle.map(JSON.string) ?? .null,
            "epoch": epoch.map { .integer(Int64(clamping: $0)) } ?? .null, "lease": lease?.json ?? .null,
            "services": .array(
                services.map { service in
                    [
                        "name": .string(service.name), "progress": .string(service.progress),
                        "stable": .integer(Int64(service.split.stable)),
                        "candidate": .integer(Int64(service.split.candidate)),
                        "frozen": service.frozen.map(JSON.string) ?? .null,
                        "depends": .array(service.depends.map(JSON.string)),
                        "preflight": .array(service.preflight.map(JSON.string)),
                    ]
                }),
            "cooldown_until": cooldownUntil.map {
                .string(RFC3339.text(milliseconds: $0.timestamp.milliseconds))
            } ?? .null,
            "rollback": report?.json ?? .null,
        ]
    }
}

/// The state of a rollback rule.
public struct RollbackRuleStanding: Equatable, Sendable {
    /// The longest streak of violations of its elements.
    public var streak: Int
    /// Whether any element is tripped.
    public var isTripped: Bool
}
