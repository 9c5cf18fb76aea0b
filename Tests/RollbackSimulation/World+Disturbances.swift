import MetricModel
import Rollback
import RuleModel

/// Actions of users and the environment, and the checks after their end.
extension World {
    mutating func disturb() {
        let fault = random.pick(shape.disturbances)
        let service = random.pick(plan.services)
        let name = service.name
        let route = RouteID(name, service.routes.count > 1 ? Int(random.pick(0...Int64(service.routes.count - 1))) : 0)
        guard injector.force(fault) else { return }
        var dice = injector[fault]
        defer { injector[fault] = dice }
        note("\(fault) \(name)")
        switch fault {
        case .partition:
            let end = now + .milliseconds(dice.pick(100...12_000))
            routers[route]?.silentUntil = end
            routers[route]?.troubledAt = end
        case .drift:
            let split = anySplit(&dice)
            routers[route]?.live = split
            routers[route]?.troubledAt = now
        case .blackout:
            routers[route]?.live = nil
            routers[route]?.troubledAt = now
        case .sickStable:
            routers[route]?.stableIsHealthy.toggle()
            routers[route]?.troubledAt = now
        case .deadRoute: routers[route]?.isDead.toggle()
        case .badCandidate: spoil(name, .bad, &dice)
        case .missingData: spoil(name, .missing, &dice)
        case .vanishedData:
            for index in elements.indices where elements[index].service == name {
                elements[index].condition = .missing
                elements[index].until = Instant(nanoseconds: .max)
            }
        case .sparseData: spoil(name, .sparse, &dice)
        case .operatorCommand: command(dice, route)
        case .historyOutage:
            historyChanged(isAvailable: false)
            schedule(.historyReturns, after: dice.pick(500...15_000))
        case .rival: rivalTakesLease(&dice, route)
        case .reload: reload(&dice)
        case .clockJump:
            // The process was suspended, or the machine slept: everything is late.
            now = now + .milliseconds(dice.pick(100...20_000))
            for name in routers.keys { routers[name]?.troubledAt = now }
        case .handOver: otherNodeTakesOver(&dice)
        case .leaseOutage: leaseDatabaseAway(for: dice.pick(500...15_000))
        case .unmanagedTraffic: switchByOthers(service, &dice)
        case .observation: command(.observe(for: .seconds(dice.pick(0...15))))
        case .newVersion: versionChanged(to: dice.chance(0.2) ? nil : Double(dice.pick(1...4)))
        case .crash, .writeError, .hungJournal, .damagedJournal, .lostReply, .refusal, .duplicateReply, .slowRouter,
            .closedGate, .hookTrouble:
            break
        }
    }

    private mutating func spoil(_ name: String, _ condition: Element.Condition, _ dice: inout SplitMix) {
        // Most faults of a candidate affect its own service only, some all services.
        let isOwn = dice.chance(0.8)
        for index in elements.indices where !isOwn || elements[index].service == name {
            elements[index].condition = condition
            elements[index].until = now + .milliseconds(dice.pick(500...8000))
        }
    }

    /// Any split that the routes of the plan may have.
    private func anySplit(_ dice: inout SplitMix, below limit: Int64 = 101) -> TrafficSplit {
        let percent = Int(dice.pick(0...limit - 1))
        if percent < 20, plan.services[0].stages[0].isForTesters { return .testersOnly }
        return TrafficSplit(candidate: percent) ?? .allStable
    }

    private mutating func switchByOthers(_ service: RolloutPlan.Service, _ dice: inout SplitMix) {
        guard lastState.phase == .idle else { return }
        let split = dice.chance(0.3) ? .allCandidate : anySplit(&dice, below: 100)
        for index in service.routes.indices where dice.chance(0.8) {
            routers[RouteID(service.name, index)]?.live = split
            routers[RouteID(service.name, index)]?.troubledAt = now
        }
    }

    private mutating func command(_ dice: SplitMix, _ route: RouteID) {
        var dice = dice
        let name = route.service
        if shape.isUnmanaged, dice.chance(0.7) {
            switch dice.pick(0...7) {
            case 0, 1: command(.adopt)
            case 2: command(.resume)
            case 3: command(.abort)
            case 4: command(.rollback(services: nil))
            case 5: command(.rollback(services: [name]))
            case 6: command(.observe(for: .seconds(dice.pick(1...10))))
            default: command(.start)
            }
            return
        }
        switch dice.pick(0...14) {
        case 14: command(.promoteFully)
        case 13: command(.startOnly(services: [name]))
        case 12: command(.acknowledge)
        case 11: command(.abandonRoute(route))
        case 0...3: command(.start)
        case 4: command(.pause)
        case 5, 6: command(.resume)
        case 7: command(.promote)
        case 8: command(dice.chance(0.2) ? .promoteWithoutData : .promote)
        case 9: command(.abort)
        default:
            if dice.chance(0.5) {
                _ = command(.rollback(services: nil))
                return
            }
            guard dice.chance(0.5) else {
                _ = command(.rollback(services: [name]))
                return
            }
            // A checkpoint may have any weights, also higher ones than now.
            let weights = plan.services.map {
                ($0.name, anySplit(&dice))
            }
            let generation = lastState.generation
            command(
                .restore(
                    Dictionary(uniqueKeysWithValues: weights), exactlyIn: dice.chance(0.5) ? generation : nil))
        }
    }

    mutating func historyChanged(isAvailable: Bool) {
        historyIsAvailable = isAvailable
        step { $0.historyChanged(isAvailable: isAvailable, at: $1) }
    }

    private mutating func rivalTakesLease(_ dice: inout SplitMix, _ route: RouteID) {
        guard !leaseLost, !isAlone else { return }
        epoch += 1
        forgetReadings()
        // It has its own journal, so only the shifted traffic is visible.
        if dice.chance(0.5) {
            let split = anySplit(&dice)
            routers[route]?.live = split
        }
        schedule(.leaseReturns, after: dice.pick(100...10_000))
        if sabotage != .ignoresLeaseLoss { loseLease() }
        leaseLost = true
    }

    private mutating func reload(_ dice: inout SplitMix) {
        guard let controller else { return }
        if dice.chance(0.5) {
            var new = controller.plan
            new.settle = .seconds(dice.pick(0...6))
            for index in new.services.indices { new.services[index].bake = .seconds(dice.pick(1...4)) }
            var refusal: String?
            step { (controller: inout RolloutController, now) in
                let (result, actions) = controller.planChanged(to: new, at: now)
                refusal = result
                return actions
            }
            check(.reload, refusal == nil, "new times of a plan were refused: \(refusal ?? "")")
        } else {
            // None of this affects the counts so far.
            rule.severity = dice.pick(["critical", "high", "warning"])
            rule.annotations = ["summary": "\(dice.pick(0...9))"]
        }
        for index in elements.indices { elements[index].model.reloaded() }
        guard sabotage == .forgetsStreaksAtReload, let machine else { return }
        self.machine = PlanMachine(machine.controller)
    }

    /// Lets measurements of `service` be missing for `span`, under this policy.
    public mutating func withhold(
        _ service: String, _ policy: RollbackDefinition.MissingPolicy, for span: Milliseconds
    ) {
        rule.missing = policy
        for index in elements.indices where elements[index].service == service {
            elements[index].condition = .missing
            elements[index].until = now + span
        }
    }

    /// Ends every disturbance and gives the world time to become stable.
    mutating func calm() {
        injector.isCalm = true
        for index in elements.indices { elements[index].until = now }
        for name in routers.keys {
            routers[name]?.stableIsHealthy = true
            routers[name]?.troubledAt = now
        }
        disk.failsUntil = now
        note("calm")
        run(for: .seconds(9))
        // Some routes come back, and the others are given up.
        for route in routers.keys.sorted() where routers[route]?.isDead == true && random.chance(0.5) {
            routers[route]?.isDead = false
            routers[route]?.troubledAt = now
        }
        if isAlone { leaseDatabaseReturned() }
        leaseReturned()
        historyChanged(isAvailable: true)
        if candidateVersion == nil, !versions.isEmpty { versionChanged(to: 1) }
        if controller?.state.loss != nil, random.chance(0.7) { command(.acknowledge) }
        if random.chance(0.3) { command(.abort) }
        let limit = now + .minutes(10)
        repeat {
            while violations.isEmpty, now < limit, isBusy {
                run(for: .seconds(5))
                giveUpDeadRoutes()
            }
            // Late drift is detected at the next reading, which may wait for a lost reply. So is a candidate without a
            // rollout.
            run(for: plan.reconcile + Self.patience)
        } while violations.isEmpty && now < limit && isBusy
        if violations.isEmpty { checkRest() }
    }

    /// A user ends the attempts at unreachable routes, or repairs them if a promotion waits.
    private mutating func giveUpDeadRoutes() {
        if controller?.state.rollback?.isBesideStable == true, controller?.state.phase == .rollingBack {
            command(.rollback(services: controller?.state.rollback?.services))
        }
        for route in routers.keys.sorted() where routers[route]?.isDead == true {
            guard violations.isEmpty, let state = controller?.state else { continue }
            if state.phase == .promoting {
                routers[route]?.isDead = false
                routers[route]?.troubledAt = now
            }
            guard state.phase == .rollingBack, state.rollback?.services.contains(route.service) == true,
                state.services[route.service]?.abandoned.contains(route.index) == false
            else { continue }
            command(.abandonRoute(route))
        }
    }

    private var isBusy: Bool {
        if controller?.state.observingUntil != nil { return true }
        if controller?.state.hooks.values.contains(false) == true { return true }
        return switch controller?.state.phase {
        case .promoting: controller?.state.loss == nil
        case .rollingBack, nil: true
        case .idle, .paused, .promoted, .retired, .rolledBack: false
        }
    }
}

extension World {
    /// A trip of the rule at `service`, as its machine would return it.
    public func trip(
        _ service: String, scope: RollbackDefinition.Action.Scope, mode: RollbackDefinition.Mode = .enforce
    ) -> Trip {
        var definition = rule
        definition.mode = mode
        definition.action.service = service
        definition.action.scope = scope
        return Trip(
            of: RollbackMeasurement(
                rule: "f;g;R", ruleHash: "h", definition: definition, time: clock.timestamp, elements: []),
            labels: ["service": service], samples: [EvidenceSample(time: clock.timestamp, value: 0.5)])
    }
}
