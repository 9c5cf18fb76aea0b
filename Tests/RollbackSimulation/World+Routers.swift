import MetricModel
import Rollback

/// Routers, their workers, and faults between them and the process.
extension World {
    mutating func send(_ operation: RouterOperation) {
        var operation = operation
        if sabotage == .keepsOldEpoch, operation.epoch > 2 { operation.epoch -= 1 }
        let epoch = epoch
        check(.leaseHolderOnly, !leaseLost, "\(operation.kind) of \(operation.service) without the lease")
        check(
            .leaseHolderOnly, operation.epoch == epoch, "\(operation.kind) under epoch \(operation.epoch), not \(epoch)"
        )
        note("\(operation.target): \(operation.kind)")
        if case .shift(let split) = operation.kind { checkShift(operation, split) }
        if operation.kind != .inspect { checkObserving(operation) }
        if case .isolate = operation.kind {
            check(
                .readBack, routers[operation.target]?.seen?.split == .allStable || isVerified(operation.service),
                "\(operation.target) isolated before read-back")
        }
        if sabotage == .waitsForHistory, !historyIsAvailable { return }
        batch.operated.insert(operation.target)
        guard var router = routers[operation.target] else { return }
        router.asked = operation.id
        if case .shift = operation.kind { router.shiftedAt = now }
        // Operations of one route are carried out one after the other.
        let start = max(now, router.busyUntil)
        let isSlow = injector.strikes(.slowRouter)
        if isSlow { router.troubledAt = now }
        let effect = start + .milliseconds(random.pick(0...(isSlow ? 15_000 : 5)))
        router.busyUntil = effect
        routers[operation.target] = router
        let reply = effect + .milliseconds(random.pick(0...3))
        queue.schedule(.effect(operation, process: process, reply: reply), at: effect)
    }

    mutating func carryOut(_ operation: RouterOperation, _ process: Int, _ reply: Instant?) {
        guard var router = routers[operation.target] else { return }
        if now < router.silentUntil { return note("\(operation.target): nothing passes") }
        let isRefused = router.isDead || injector.strikes(.refusal)
        // A failure may come before or after the effect.
        if !isRefused || !router.isDead && random.chance(0.5) {
            switch operation.kind {
            case .inspect: break
            case .shift(let split):
                if sabotage == .omitsZero, split == .allStable, let live = router.live {
                    router.live = TrafficSplit(candidate: live.candidate / 2)
                    check(.weights, router.live == split, "a weight of 0 did not arrive at \(operation.service)")
                } else {
                    router.live = split
                    check(.weights, router.live.map { $0.stable + $0.candidate } == 100, "weights do not sum to 100")
                }
                if split > .allStable { router.isIsolated = false }
            case .isolate: router.isIsolated = true
            }
        }
        router.candidateRequests += UInt64(router.live.map { max($0.candidate, $0.isForTesters ? 1 : 0) } ?? 0)
        if isRefused { router.troubledAt = now }
        let isLost = injector.strikes(.lostReply)
        if isLost { router.troubledAt = now }
        routers[operation.target] = router
        guard let reply, !isLost else { return note("\(operation.target): the reply is lost") }
        let result = isRefused ? .failed("refused") : answer(to: operation, router)
        queue.schedule(.reply(result, operation, process: process), at: reply)
        if injector.strikes(.duplicateReply) {
            let later = reply + .milliseconds(injector[.duplicateReply].pick(0...5000))
            queue.schedule(.reply(result, operation, process: process), at: later)
        }
    }

    private func answer(to operation: RouterOperation, _ router: Router) -> OperationResult {
        guard case .inspect = operation.kind else { return .done }
        return .inspected(
            Inspection(
                split: router.live, stable: router.stableIsHealthy ? .healthy : .unhealthy("down"),
                isCandidateIsolated: router.isIsolated, candidateRequests: router.candidateRequests))
    }

    mutating func replied(_ result: OperationResult, _ operation: RouterOperation, _ process: Int) {
        guard process == self.process, machine != nil else { return }
        var told = result
        let (name, route) = (operation.service, operation.target)
        if case .inspected(let inspection) = result {
            if routers[route]?.asked == operation.id {
                routers[route]?.seen = inspection
                routers[route]?.seenAt = now
                if memory.unread.contains(route) { nodeRead(route, inspection) }
                if controller?.awaits(operation.id) == true { readWithoutRollout(name) }
            }
            var lie = inspection
            if sabotage == .assumesHealthyTarget { lie.stable = .healthy }
            if sabotage == .inventsReadBack, let wanted = lastState.services[name], isInMotion(wanted) {
                lie.split = wanted.split
            }
            if sabotage == .hidesUnmanaged, lastState.phase == .idle { lie.split = .allStable }
            if sabotage == .hidesDrift, lastState.phase != .idle, let wanted = lastState.services[name],
                !isInMotion(wanted)
            {
                lie.split = wanted.split
            }
            told = .inspected(lie)
        }
        if case .failed = result, case .inspect = operation.kind, controller?.awaits(operation.id) == true {
            failedReading = route
            if sabotage == .answersForRouters, let wanted = lastState.services[name] {
                told = .inspected(Inspection(split: wanted.split, stable: .healthy))
            }
        }
        note("\(route): answered \(told)")
        if routers[route]?.asked == operation.id { routers[route]?.asked = nil }
        step { $0.replied(operation.id, told, at: $1) }
    }

    /// Whether every route of `service` has been read back, according to the journal.
    private func isVerified(_ service: String) -> Bool {
        lastState.services[service]?.progress == .rollingBack(.verified)
    }

    func isInMotion(_ service: ServiceRollout) -> Bool {
        switch service.progress {
        case .shifting, .rollingBack: true
        case .waiting, .baking, .promoted, .rolledBack: false
        }
    }

    mutating func gatesAsked(_ question: GateQuestion, _ process: Int) {
        guard process == self.process else { return }
        let version = candidateVersion
        let isOpen = !injector.strikes(.closedGate)
        step {
            $0.gatesAnswered(
                question.id,
                question.gates.map { GateAnswer(name: $0.name, isOpen: isOpen, detail: "", value: version) }, at: $1)
        }
    }
}
