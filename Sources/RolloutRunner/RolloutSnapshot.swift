public import JSON
public import Lease
public import MetricModel
public import Rollback
public import RuleModel
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
        /// Its routes, in the order of the plan.
        public var routes: [Route]
        /// The stage that is set or watched, from 1; `nil` while it has none.
        public var stage: Int?
        /// How many stages there are.
        public var stages: Int
        /// When the bake of the stage ends; `nil` while none is watched.
        public var bakeEnds: Instant?
        /// The gates of the stage, each with what was last seen.
        public var gates: [RolloutController.GateView]
        /// Which data it waits for, with since when they are missing; `nil` where it waits for none.
        public var lack: String?
        /// Since when its candidate has been read with traffic that no rollout gave it; `nil` if it has none.
        public var unmanagedSince: Instant?
        /// Whether it is no part of the rollout.
        public var isLeftOut: Bool
        /// The services on which it depends.
        public var depends: [String]
        /// Checks to make before the rollout.
        public var preflight: [String]

        /// How traffic is split by the last reading of every route; `nil` if a route cannot be read, if none was read
        /// yet or if routes differ.
        public var observed: TrafficSplit? {
            guard let first = routes.first?.view.observed,
                routes.allSatisfy({ $0.isUp == true && $0.view.observed == first })
            else { return nil }
            return first
        }
    }

    /// One route of a service: what was read of it.
    public struct Route: Equatable, Sendable {
        /// The router with what distinguishes it from others.
        public var name: String
        /// The last reading, and since when none succeeds.
        public var view: RouteView
        /// Whether a person has given it up in the last rollback.
        public var isAbandoned: Bool

        /// Whether the last attempt to read it succeeded; `nil` before the first one.
        public var isUp: Bool? {
            if view.unreadableSince != nil { return false }
            return view.readAt == nil ? nil : true
        }
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
    /// When the leader recorded this state; `nil` on the node that acts itself.
    public var recordedAt: Instant?
    /// Why the journal cannot be written, so that candidates only lose traffic; `nil` while it can.
    public var journal: String?
    /// The loss of the rollout's record, until a person acknowledges it; `nil` if nothing did.
    public var loss: String?
    /// Until when nothing is written to routers, by a person's order; `nil` for no such order.
    public var observingUntil: Instant?
    /// The services in the order of promotion.
    public var services: [Service]
    /// Reasons of rules that forbid more traffic for candidates.
    public var freezes: [String]
    /// Required actions, one line each.
    public var todo: [String]
    /// The hooks that are waited for.
    public var hooks: [RolloutController.HookView]
    /// The rollback rules of the plan.
    public var rules: [RuleView]
    /// The end of the cooldown.
    public var cooldownUntil: Instant?
    /// The active rollback, or the last one.
    public var report: RollbackReport?

    /// The state of a rollback rule.
    public struct RuleView: Equatable, Sendable {
        /// One element that it measured.
        public struct Element: Equatable, Sendable {
            /// Its labels, as text.
            public var labels: String
            /// The last value that counted; `nil` where none did.
            public var value: Double?
            /// The time of its newest sample.
            public var at: Timestamp?
            /// Whether it has tripped.
            public var isTripped: Bool
            /// Since when its data are missing.
            public var missingSince: Timestamp?
        }

        /// The rule's name.
        public var name: String
        /// The trip condition.
        public var condition: String
        /// At most 100 elements.
        public var elements: [Element]

        init(_ rule: RollbackRule) {
            name = rule.definition.name
            condition = rule.definition.trip.description
            elements = rule.tracks.sorted { $0.key < $1.key }.prefix(100).map { labels, track in
                Element(
                    labels: labels.description, value: track.lastValue, at: track.counted?.sample,
                    isTripped: track.state != .armed, missingSince: track.missingSince)
            }
        }
    }

    init(_ controller: RolloutController, rules: [String: RollbackRule] = [:], at now: Instant) {
        let state = controller.state
        plan = controller.plan.name
        generation = state.generation
        phase = state.phase.name
        obstacle = controller.standstill(at: now)
        epoch = controller.epoch
        journal = controller.journalTrouble(at: now)
        loss = controller.lossText
        observingUntil = state.observingUntil
        let views = controller.views
        services = controller.plan.services.map { service in
            let current = state.services[service.name] ?? ServiceRollout()
            return Service(
                name: service.name, progress: current.progress.name, split: current.split, frozen: current.frozen,
                routes: service.routes.enumerated().map { index, route in
                    Route(
                        name: route.name, view: views[RouteID(service.name, index)] ?? RouteView(),
                        isAbandoned: current.abandoned.contains(index))
                },
                stage: current.progress.stage.map { $0 + 1 }, stages: service.stages.count,
                bakeEnds: controller.bakeEnd(of: service.name), gates: controller.gates(of: service.name),
                lack: controller.lack(of: service.name, at: now)?.description,
                unmanagedSince: controller.unmanagedSince(service.name), isLeftOut: current.isLeftOut,
                depends: service.depends, preflight: service.preflight)
        }
        cooldownUntil = state.cooldownUntil
        freezes = controller.freezes.sorted()
        todo = controller.todo(at: now)
        hooks = controller.hookViews
        self.rules = rules.values.map(RuleView.init).sorted { $0.name < $1.name }
        report = state.rollback.map {
            RollbackReport(plan: controller.plan.name, epoch: controller.epoch ?? 0, rollback: $0)
        }
    }

    /// The state that the leader has recorded. Routes are read by the leader only, and what it waits for is not in its
    /// record.
    init(of record: JournalRecord, _ plan: RolloutPlan, rules: [RuleView], at now: Instant) {
        self.init(RolloutController(plan: plan, state: record.state, epoch: nil), at: now)
        recordedAt = record.at
        self.rules = rules
        if case .paused(let reason) = record.state.phase { obstacle = reason } else { obstacle = nil }
    }

    /// The snapshot as JSON.
    public var json: JSON {
        [
            "plan": .string(plan), "generation": .integer(Int64(clamping: generation)), "phase": .string(phase),
            "obstacle": obstacle.map(JSON.string) ?? .null,
            "epoch": epoch.map { .integer(Int64(clamping: $0)) } ?? .null, "lease": lease?.json ?? .null,
            "recorded_at": recordedAt.map { .string(RFC3339.text(milliseconds: $0.timestamp.milliseconds)) } ?? .null,
            "journal": journal.map(JSON.string) ?? .null, "loss": loss.map(JSON.string) ?? .null,
            "observing_until": observingUntil.map {
                .string(RFC3339.text(milliseconds: $0.timestamp.milliseconds))
            } ?? .null,
            "services": .array(
                services.map { service in
                    [
                        "name": .string(service.name), "progress": .string(service.progress),
                        "stable": .integer(Int64(service.split.stable)),
                        "candidate": .integer(Int64(service.split.candidate)),
                        "testers": .bool(service.split.isForTesters),
                        "observed": service.observed?.json ?? .null, "routes": .array(service.routes.map(\.json)),
                        "frozen": service.frozen.map(JSON.string) ?? .null,
                        "stage": service.stage.map { .integer(Int64($0)) } ?? .null,
                        "stages": .integer(Int64(service.stages)),
                        "bake_ends": service.bakeEnds.map {
                            .string(RFC3339.text(milliseconds: $0.timestamp.milliseconds))
                        } ?? .null,
                        "gates": .array(
                            service.gates.map { gate in
                                [
                                    "name": .string(gate.name), "open": gate.isOpen.map(JSON.bool) ?? .null,
                                    "detail": .string(gate.detail),
                                ]
                            }),
                        "lack": service.lack.map(JSON.string) ?? .null,
                        "unmanaged_since": service.unmanagedSince.map {
                            .string(RFC3339.text(milliseconds: $0.timestamp.milliseconds))
                        } ?? .null,
                        "left_out": .bool(service.isLeftOut), "depends": .array(service.depends.map(JSON.string)),
                        "preflight": .array(service.preflight.map(JSON.string)),
                    ]
                }),
            "freezes": .array(freezes.map(JSON.string)), "todo": .array(todo.map(JSON.string)),
            "hooks": .array(hooks.map(\.json)), "rules": .array(rules.map(\.json)),
            "cooldown_until": cooldownUntil.map {
                .string(RFC3339.text(milliseconds: $0.timestamp.milliseconds))
            } ?? .null,
            "rollback": report?.json ?? .null,
        ]
    }
}

extension RolloutSnapshot.Route {
    /// The route for machines. `up` is null before the first reading; `observed` is the last reading, however old.
    fileprivate var json: JSON {
        func time(_ instant: Instant?) -> JSON {
            instant.map { .string(RFC3339.text(milliseconds: $0.timestamp.milliseconds)) } ?? .null
        }
        return [
            "name": .string(name), "up": isUp.map(JSON.bool) ?? .null, "observed": view.observed?.json ?? .null,
            "grade": view.reading.map { .string($0.grade.rawValue) } ?? .null, "read_at": time(view.readAt),
            "unreadable_since": time(view.unreadableSince),
            "fault": view.fault.map(JSON.string) ?? .null, "abandoned": .bool(isAbandoned),
        ]
    }
}

extension RolloutController.HookView {
    fileprivate var json: JSON {
        [
            "name": .string(name), "when": .string(moment),
            "verdict": answer.map { .string($0.verdict.rawValue) } ?? .null,
            "detail": answer.map { .string($0.detail) } ?? .null,
            "since": .string(RFC3339.text(milliseconds: since.timestamp.milliseconds)),
        ]
    }
}

extension RolloutSnapshot.RuleView {
    fileprivate var json: JSON {
        func time(_ time: Timestamp?) -> JSON {
            time.map { .string(RFC3339.text(milliseconds: $0.milliseconds)) } ?? .null
        }
        return [
            "name": .string(name), "trip": .string(condition),
            "elements": .array(
                elements.map { element in
                    [
                        "labels": .string(element.labels),
                        "value": element.value.map { .string(FloatText.general($0)) } ?? .null,
                        "at": time(element.at), "tripped": .bool(element.isTripped),
                        "missing_since": time(element.missingSince),
                    ]
                }),
        ]
    }
}

/// The state of a rollback rule.
public struct RollbackRuleStanding: Equatable, Sendable {
    /// The longest streak of violations of its elements.
    public var streak: Int
    /// Tripped elements, as alerts.
    public var alerts: [ActiveAlertSnapshot]
    /// Whether any element is tripped.
    public var isTripped: Bool { !alerts.isEmpty }
}
