import MetricModel
import Rollback
import RuleModel

/// The invariants, checked from outside: against true weights, what is stored, and what the process was told.
extension Moment {
    // MARK: records

    /// The process wants a record in the journal.
    mutating func checkRecord(_ record: JournalRecord, in world: SmallWorld) {
        let (old, new) = (recorded, record.state)
        if let fault = new.checkInvariants(of: world.plan(reloads: reloads)) { fail(.recovery, fault) }
        let isAdopted = record.step == "adopted"
        if new.generation != old.generation {
            check(
                .noRiseWhileTripped, isOver(cooldownUntil), "a rollout begins before the cooldown of its rule is over")
            cooldownUntil = nil
        }
        for (index, name) in world.services.enumerated() {
            let before = old.services[name] ?? ServiceRollout()
            guard let after = new.services[name], after != before else { continue }
            if after.progress != before.progress, !isAdopted {
                checkProgress(index, from: before, to: after, new, old, record.step, in: world)
            }
            guard after.split > before.split else { continue }
            if isAdopted {
                let isSeen = world.routes(of: index).contains {
                    Int(routes[$0].seen?.weight ?? 0) == after.split.candidate
                }
                check(.unmanaged, isSeen, "\(name) is adopted at \(after.split), which was not read")
                continue
            }
            check(.noRiseWhileTripped, new.phase == .promoting, "\(name) rises in phase \(new.phase.name)")
            check(.noRiseWhileTripped, isOver(new.cooldownUntil), "\(name) rises during a cooldown")
            check(
                .noRiseWhileTripped, isOver(cooldownUntil), "\(name) rises before the cooldown of its rule is over")
        }
    }

    private func isOver(_ cooldown: Instant?) -> Bool { cooldown.map { $0 <= now } ?? true }

    private mutating func checkProgress(
        _ index: Int, from before: ServiceRollout, to after: ServiceRollout, _ new: RolloutState, _ old: RolloutState,
        _ step: String, in world: SmallWorld
    ) {
        let name = world.services[index]
        if new.generation == old.generation {
            switch (before.progress, after.progress) {
            case (.rolledBack, .rollingBack): fail(.oneRollback, "\(name) goes back again in one generation")
            case (.rolledBack, .waiting), (.rolledBack, .shifting), (.rolledBack, .baking), (.rolledBack, .promoted),
                (.rollingBack, .waiting), (.rollingBack, .shifting), (.rollingBack, .baking),
                (.rollingBack, .promoted):
                fail(.oneRollback, "\(name) was back, and is \(after.progress.name) in one generation")
            case (.waiting, _), (.shifting, _), (.baking, _), (.promoted, _), (.rollingBack, .rollingBack),
                (.rollingBack, .rolledBack), (.rolledBack, .rolledBack):
                break
            }
        }
        switch after.progress {
        case .rollingBack(.verified), .rolledBack:
            if case .rollingBack(.verified) = before.progress { return }
            checkRead(index, .allStable, after.abandoned, in: world)
        case .baking:
            counted &= ~(1 << UInt8(index)) | countedNow
            if step == "baking" { checkRead(index, after.split, [], in: world) }
        case .shifting where !after.isRestoring: checkCounted(index, before, in: world)
        case .promoted: checkCounted(index, before, in: world)
        case .waiting, .shifting, .rollingBack: break
        }
    }

    /// The service continues from its stage.
    private mutating func checkCounted(_ index: Int, _ before: ServiceRollout, in world: SmallWorld) {
        guard case .baking = before.progress else { return }
        check(.countedData, counted & 1 << UInt8(index) != 0, "\(world.services[index]) rises without data that count")
    }

    private mutating func checkRead(
        _ index: Int, _ split: TrafficSplit, _ abandoned: Set<Int>, in world: SmallWorld
    ) {
        for (place, route) in world.routes(of: index).enumerated() where !abandoned.contains(place) {
            let seen = routes[route].seen
            let isRead = seen.map { Int($0.weight) == split.candidate && !$0.isBeforeShift } ?? false
            check(
                .readBack, isRead,
                "\(world.routes[route]) counts as \(split), last read \(seen.map { "\($0.weight) %" } ?? "never")")
        }
    }

    // MARK: operations

    /// A shift is about to be sent.
    mutating func checkShift(_ index: Int, _ split: TrafficSplit, _ machine: PlanMachine, in world: SmallWorld) {
        let (name, route) = (world.services[world.service(of: index)], world.routes[index])
        let state = recorded
        guard let wanted = state.services[name] else { return fail(.recovery, "no intent for \(name)") }
        check(.recovery, wanted.split == split, "\(route) shifted to \(split), intended was \(wanted.split)")
        let seen = routes[index].seen
        let before = Int(seen?.weight ?? 0)
        if split.candidate < before || split == .allStable {
            // A stage waits until every route has been read, for a short time.
            let isVerified = seen.map { $0.stableIsHealthy && $0.at == now } ?? false
            check(.healthyTarget, isVerified, "\(route) shifted to a stable version that was not verified healthy")
        }
        if split.candidate > before { checkRise(index, split, state, machine, in: world) }
        guard case .rollingBack = wanted.progress, let rollback = state.rollback else { return }
        if rollback.isBesideStable {
            check(.unmanaged, before < 100, "\(route) shifted to a stable version without traffic without an order")
        }
        for dependent in world.order.dependents[name] ?? [] where rollback.services.contains(dependent) {
            guard case .rollingBack(let step)? = state.services[dependent]?.progress, step < .verified else { continue }
            let isBroken =
                wanted.isOrderBroken
                && routes.indices.contains {
                    world.services[world.service(of: $0)] == dependent && (routes[$0].isTroubled || routes[$0].isDead)
                }
            check(.dependentsFirst, isBroken, "\(name) goes back before \(dependent)")
        }
    }

    private mutating func checkRise(
        _ index: Int, _ split: TrafficSplit, _ state: RolloutState, _ machine: PlanMachine, in world: SmallWorld
    ) {
        let (name, route) = (world.services[world.service(of: index)], world.routes[index])
        let isKnown = disk.state?.generation == state.generation && disk.state?.services[name]?.split == split
        check(.recovery, isKnown, "\(route) rises to \(split), which the next process does not know")
        check(.noRiseWhileTripped, isOver(state.cooldownUntil), "\(route) rises during a cooldown")
        check(
            .noRiseWhileTripped, isOver(cooldownUntil), "\(route) rises before the cooldown of its rule is over")
        switch state.phase {
        case .promoting, .paused, .promoted, .retired: break
        case .idle, .rollingBack, .rolledBack: fail(.noRiseWhileTripped, "\(route) rises after a rollback")
        }
        let isTripped = machine.rules.values.contains { $0.definition.mode == .enforce && $0.isTripped }
        check(.noRiseWhileTripped, !isTripped, "\(route) rises while a trip is active")
    }

    mutating func checkIsolation(_ index: Int, in world: SmallWorld) {
        let progress = recorded.services[world.services[world.service(of: index)]]?.progress
        let isVerified = routes[index].seen?.weight == 0 || progress == .rollingBack(.verified)
        check(.readBack, isVerified, "\(world.routes[index]) isolated before it was read back")
    }

    /// A service that begins to go back in one event is asked for at once, unless its dependents come first.
    mutating func checkDelay(_ before: RolloutState, _ controller: RolloutController, in world: SmallWorld) {
        guard controller.state.phase == .rollingBack else { return }
        let state = recorded
        for (index, name) in world.services.enumerated() {
            guard state.services[name]?.progress == .rollingBack(.intended) else { continue }
            if case .rollingBack? = before.services[name]?.progress { continue }
            let waits = (world.order.dependents[name] ?? []).contains { dependent in
                guard state.rollback?.services.contains(dependent) == true,
                    case .rollingBack(let step)? = state.services[dependent]?.progress
                else { return false }
                return step < .verified
            }
            for route in world.routes(of: index) {
                check(
                    .nothingDelaysTheShift, waits || routes[route].queue.contains(where: \.isAwaited),
                    "nothing was asked of \(world.routes[route])")
            }
        }
    }

    // MARK: rules, people, views

    mutating func beginCooldown(_ phase: RolloutState.Phase, in world: SmallWorld) {
        switch phase {
        case .idle, .retired, .rolledBack: return
        case .promoting, .paused, .promoted, .rollingBack:
            let end = now + world.rules[0].cooldown
            cooldownUntil = max(cooldownUntil ?? end, end)
        }
    }

    func isTripped(_ index: Int, in world: SmallWorld) -> Bool {
        machine?.rules[world.key(index)]?.isTripped ?? false
    }

    mutating func checkMeasured(
        _ index: Int, _ outcome: Int, _ phase: RolloutState.Phase, wasTripped: Bool, in world: SmallWorld
    ) {
        guard let controller = machine?.controller else { return }
        let (name, isTripped) = (world.services[index], isTripped(index, in: world))
        switch outcome {
        case 1: check(.oneRollback, isTripped || phase == .idle, "\(name) is violated, and its rule has not tripped")
        case 2:
            check(.missingNeverTrips, wasTripped || !isTripped, "\(name) tripped without data")
            check(.missingNeverResets, isTripped || !wasTripped, "the trip of \(name) ended without data")
        case _: break
        }
        // Traffic that no rollout gave is taken back only beside a stable version that is in use.
        guard outcome == 1, phase != .idle else { return }
        switch controller.state.phase {
        case .idle, .retired: return
        case .promoting, .paused, .promoted, .rollingBack, .rolledBack: break
        }
        let left = world.order.targets(of: name, .serviceAndDependents).filter {
            controller.state.services[$0]?.split.candidate ?? 0 > 0
        }
        check(.oneRollback, left.isEmpty, "\(name) is violated, \(left) are still promoted")
    }

    /// An order to abort a rollout was given.
    mutating func checkAborted(_ cuts: Int) -> Int {
        guard let phase = machine?.controller.state.phase else { return cuts }
        check(
            .reload, phase == .rollingBack || phase == .rolledBack, "an order to abort did nothing: \(phase.name)")
        return cuts
    }

    /// The division that a status shows is the one that was read last.
    mutating func checkView(of index: Int, in world: SmallWorld) {
        guard let view = machine?.controller.views[world.routes[index]] else { return }
        let route = routes[index]
        if route.isUnread {
            check(.unreadDivision, view.unreadableSince != nil, "\(world.routes[index]) counts as read, and was not")
        } else if world.sabotage == nil {
            let isSeen = view.observed.map { $0.candidate } == route.seen.map { Int($0.weight) }
            check(.unreadDivision, isSeen, "\(world.routes[index]) shows another division than the one read")
        }
    }

    /// A process has begun: what its rules call tripped was acted on, or at least journalled.
    mutating func checkHandled(in world: SmallWorld) {
        guard let machine else { return }
        let state = machine.controller.state
        switch state.phase {
        case .idle, .retired: return
        case .promoting, .paused, .promoted, .rollingBack, .rolledBack: break
        }
        for (index, name) in world.services.enumerated() where isTripped(index, in: world) {
            for target in world.order.targets(of: name, .serviceAndDependents) {
                guard let place = world.services.firstIndex(of: target) else { continue }
                let hasTraffic = world.routes(of: place).contains { routes[$0].weight > 0 }
                let isWanted = state.services[target]?.split.candidate ?? 0 > 0
                check(
                    .handledTrip, !hasTraffic || !isWanted, "the trip of \(name) is over, \(target) has traffic")
            }
        }
    }
}
