import MetricModel
import RuleEngine

@testable import Rollback

/// The invariants, and what disturbs the world.
extension Simulation {
    mutating func check(_ condition: Bool, _ message: @autoclosure () -> String) {
        if !condition { violations.append("t=\(now.nanoseconds / 1_000_000 % 10_000_000): \(message())") }
    }

    /// A record has reached the disk.
    mutating func durable(_ record: JournalRecord) {
        let old = lastState
        let new = record.state
        check(record.epoch == epoch || record.epoch == 0, "a record under an old epoch")
        for (name, service) in new.services {
            let before = old.services[name] ?? ServiceState()
            if case .rollingBack(.intended) = service.progress, new.generation == old.generation {
                switch before.progress {
                case .rollingBack: break
                case .rolledBack: check(false, "\(name) rolled back twice in generation \(new.generation)")
                case .waiting, .shifting, .baking, .promoted: rollbacks["\(name)/\(new.generation)", default: 0] += 1
                }
            }
            if case .rollingBack(.verified) = service.progress, before.progress != service.progress {
                check(seen[name]?.split == .allStable, "\(name) counted as verified without read-back")
            }
            if service.split.candidate > before.split.candidate {
                check(new.phase == .promoting, "\(name)'s candidate rises in phase \(new.phase)")
                check(new.cooldownUntil.map { $0 <= now } ?? true, "\(name)'s candidate rises during a cooldown")
            }
        }
        check(rollbacks.values.allSatisfy { $0 == 1 }, "more than one rollback of a route in a generation")
        if abortedGenerations.contains(new.generation) {
            switch new.phase {
            case .promoting, .paused, .promoted: check(false, "an aborted generation went on: \(new.phase)")
            case .idle, .retired, .rollingBack, .rolledBack: break
            }
        }
        if record.step == "abort" { abortedGenerations.insert(new.generation) }
        if record.step == "intent", case .command? = new.rollback?.causes.last {
            abortedGenerations.insert(new.generation)
        }
        lastState = new
    }

    /// A shift is about to be sent.
    mutating func checkShift(_ operation: RouterOperation, _ split: TrafficSplit) {
        let name = operation.service
        guard let wanted = lastState.services[name] else { return check(false, "no intent journalled for \(name)") }
        check(wanted.split == split, "\(name) shifted to \(split), journalled was \(wanted.split)")
        let generation = lastState.generation
        check(generation == operation.generation, "shift of a generation that is not journalled")
        let before = seen[name]?.split?.candidate ?? 0
        if split.candidate < before {
            check(seen[name]?.stable == .healthy, "\(name) shifted to a target that was not verified healthy")
        }
        if split.candidate > before {
            check(lastState.cooldownUntil.map { $0 <= now } ?? true, "\(name)'s candidate rises during a cooldown")
            switch lastState.phase {
            case .promoting, .paused, .promoted, .retired: break
            case .idle, .rollingBack, .rolledBack: check(false, "\(name)'s candidate rises after a rollback")
            }
        }
        guard case .rollingBack = wanted.progress, let rollback = lastState.rollback else { return }
        check(recordedIntents.contains(rollback.id), "rollback \(rollback.id) without evidence in the history")
        for dependent in plan.dependents(including: name) where dependent != name {
            guard rollback.services.contains(dependent) else { continue }
            switch lastState.services[dependent]?.progress {
            case .rollingBack(let step): check(step >= .verified, "\(name) went back before \(dependent)")
            case .rolledBack, .waiting, .shifting, .baking, .promoted, nil: break
            }
        }
    }

    func trip(_ service: String, scope: RollbackDefinition.Action.Scope, mode: RollbackDefinition.Mode = .enforce)
        -> Trip
    {
        let definition = RollbackDefinition(
            name: "R", expression: "x", trip: .init(.less, 0.95), cooldown: .seconds(30), mode: mode,
            action: .init(plan: "sim", service: service, scope: scope))
        return Trip(
            of: RollbackMeasurement(
                rule: "f;g;R", ruleHash: "h", definition: definition, time: now.timestamp, elements: []),
            labels: ["service": service], samples: [EvidenceSample(time: now.timestamp, value: 0.5)])
    }

    mutating func disturb() {
        guard random.chance(faults.disturbances) else { return }
        let names = plan.services.map(\.name)
        let name = names[Int.random(in: 0..<names.count, using: &random)]
        switch Int.random(in: 0..<20, using: &random) {
        case 0...4: command(.start)
        case 5: command(.pause)
        case 6, 7: command(.resume)
        case 8: command(.promote)
        case 9: command(.abort)
        case 10: command(.rollback(services: random.chance(0.5) ? nil : [name]))
        case 11, 12:
            let scopes = RollbackDefinition.Action.Scope.allCases
            let scope = scopes[Int.random(in: 0..<scopes.count, using: &random)]
            let event = trip(name, scope: scope, mode: random.chance(0.1) ? .shadow : .enforce)
            step { $0.tripped(event, at: $1) }
        case 13: routers[name]?.live = TrafficSplit(candidate: Int.random(in: 0...100, using: &random))
        case 14: routers[name]?.live = nil
        case 15, 16: routers[name]?.stableIsHealthy.toggle()
        case 17:
            let isAvailable = random.chance(0.5)
            step { $0.historyChanged(isAvailable: isAvailable, at: $1) }
        case 18:
            let isFrozen = random.chance(0.5)
            step { $0.freezeChanged(by: "F", isFrozen: isFrozen, at: $1) }
        default:
            leaseLost.toggle()
            if !leaseLost { epoch += 1 }
            let held: UInt64? = leaseLost ? nil : epoch
            seen = [:]
            step { $0.leaseChanged(epoch: held, at: $1) }
        }
    }

    /// Ends every disturbance and gives the world time to come to rest.
    mutating func calm() {
        faults = .none
        leaseLost = false
        for name in routers.keys { routers[name]?.stableIsHealthy = true }
        run(for: .seconds(30))
        epoch += 1
        seen = [:]
        let held = epoch
        step { $0.leaseChanged(epoch: held, at: $1) }
        step { $0.historyChanged(isAvailable: true, at: $1) }
        step { $0.freezeChanged(by: "F", isFrozen: false, at: $1) }
        run(for: .minutes(10))
        checkRest()
    }

    /// What must hold when nothing has gone wrong for a while.
    mutating func checkRest() {
        guard let controller else { return check(false, "the process is down") }
        let state = controller.state
        check(state == lastState || sequence == 0, "the state is not what the journal says")
        check(state.phase != .rollingBack, "a rollback never ended: \(String(describing: state.rollback?.step))")
        check(state.phase != .promoting, "a promotion never ended")
        if state.phase == .idle { return }
        for (name, service) in state.services {
            if case .shifting = service.progress { continue }
            let isHeldBack =
                state.phase == .rolledBack && service.split.candidate > (routers[name]?.live?.candidate ?? 0)
            let live = routers[name]?.live
            check(live == service.split || isHeldBack, "\(name): live \(live as Any), wanted \(service.split)")
        }
    }
}
