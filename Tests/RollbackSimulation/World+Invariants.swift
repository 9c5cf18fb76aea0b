import JSON
import MetricModel
import Rollback
import RuleModel

/// A step in the history.
struct LedgerKey: Hashable, Sendable {
    var rollback: String
    var step: String
    var service: String?
}

/// The invariants, checked from outside: against true weights, the content of the disk and the events of the world.
extension World {
    /// The maximum time of a lost response and a retry.
    static var patience: Milliseconds { .seconds(35) }

    /// The process wants a record in the journal.
    mutating func made(_ record: JournalRecord) {
        let old = lastState
        let new = record.state
        let epoch = epoch
        check(.leaseHolderOnly, record.epoch == epoch, "a record under epoch \(record.epoch), not \(epoch)")
        let isTakenOver = record.step == "took over" || isLossNew
        let isRebuilt = record.step == "rebuilt"
        let isAdopted = record.step == "adopted"
        adopted = isAdopted && commanded == nil ? firstRead : nil
        for (name, service) in new.services where service.isIrreversible { memory.irreversible[name] = new.generation }
        if isAdopted { (firstRead, hasAdopted) = ([:], true) }
        checkObserved(new, old, isTakenOver: isTakenOver)
        checkLoss(new, old)
        // An incident that was about to be raised is not raised any more, so there is nothing to read.
        // Without a stable version no rollback is possible, so a candidate must have everything.
        if new.phase == .retired { memory.unread = [] }
        if isTakenOver {
            memory.unread = memory.unread.filter { new.services[$0.service]?.split ?? .allStable > .allStable }
        }
        if !isTakenOver, new.generation != old.generation {
            memory.unread = []
            check(
                .noRiseWhileTripped, memory.cooldownUntil <= clock,
                "a rollout begins before the cooldown of its rule is over")
            if !isStartOrdered, !isAdopted {
                hasBegun = true
                checkOwnStart(new, old)
            }
            // It is over permanently, also for a clock that starts earlier after a crash.
            memory.cooldownUntil = Instant(nanoseconds: 0)
        } else if !isTakenOver {
            checkKept(new, old)
        }
        memory.begunFor = new.version
        for (name, service) in new.services {
            let before = old.services[name] ?? ServiceRollout()
            if service.isWithoutData || new.isFull { setElement(name) { $0.isExcused = true } }
            // A notification about one obstacle is followed by one about the next.
            if before.frozen != nil, service.frozen == nil { told = told.filter { !$0.contains("/\(name)/frozen") } }
            if isRebuilt {
                if service != before { checkRebuilt(name, service) }
                continue
            }
            if isAdopted {
                if service.split != before.split { checkAdopted(name, service) }
                continue
            }
            // Actions that another node did not record count as not done, and are not steps of this one.
            if !isTakenOver, service.progress != before.progress { moved(name, from: before, to: service, new, old) }
            guard service.split > before.split else { continue }
            check(.lostRecord, new.loss == nil, "\(name) rises, and a record was lost")
            check(.noRiseWhileTripped, new.phase == .promoting, "\(name) rises in phase \(new.phase.name)")
            checkCooldown(name, new.cooldownUntil)
        }
        if memory.abortedGenerations.contains(new.generation) {
            switch new.phase {
            case .promoting, .paused, .promoted:
                check(.reload, false, "an aborted generation continued: \(new.phase.name)")
            case .idle, .retired, .rollingBack, .rolledBack: check(.reload, true, "")
            }
        }
        if let rollback = new.rollback, rollback.step == .finished { memory.ended.insert(rollback.id) }
        let fault = new.checkInvariants(of: plan)
        check(.recovery, fault == nil, "the state is wrong: \(fault ?? "")")
        lastState = new
        (memory.epoch, memory.number) = (record.epoch, record.number)
    }

    // MARK: people

    mutating func raised(_ incident: RollbackIncident) {
        incidents.append(incident)
        checkTold("incident \(incident.id): \(incident.title)", of: incident.id)
    }

    mutating func notified(_ notice: RollbackNotice) {
        note("notice \(notice.kind): \(notice.text)")
        notices.append(notice)
        if notice.kind == .over {
            let pages = told.filter { $0.hasPrefix("page \(notice.key): ") }
            // Missing data are notified once per gap, also across processes.
            let isEarlier = notice.key.hasSuffix("/missing") && pages.isEmpty
            check(.toldOnce, pages.count == 1 || isEarlier, "the end of an unknown notice: \(notice.key)")
            // A notification about one freeze is followed by one about the next.
            return told.subtract(pages)
        }
        checkTold("\(notice.kind) \(notice.key): \(notice.text)", of: notice.key)
    }

    /// More services or causes create another message of the same incident.
    private mutating func checkTold(_ message: String, of rollback: String) {
        let (isNew, isOver) = (told.insert(message).inserted, memory.ended.contains(rollback))
        check(.toldOnce, isNew, "notified twice: \(message)")
        check(.toldOnce, !isOver, "notified after its end: \(message)")
    }

    /// The state that no step within one rollout may lose.
    private mutating func checkKept(_ new: RolloutState, _ old: RolloutState) {
        let (candidate, generation) = (memory.begunFor, new.generation)
        let isCooldownKept = old.cooldownUntil.map { until in new.cooldownUntil.map { until <= $0 } ?? false } ?? true
        check(.noRiseWhileTripped, isCooldownKept, "generation \(generation) forgot its cooldown")
        check(
            .ownStart, new.version == candidate || commanded == .abort || commanded == .rollback(services: nil),
            "generation \(generation) was begun for \(candidate ?? .nan), and now for \(new.version ?? .nan)")
    }

    private mutating func moved(
        _ name: String, from before: ServiceRollout, to service: ServiceRollout, _ new: RolloutState,
        _ old: RolloutState
    ) {
        for route in routes(of: name) { routers[route]?.troubledAt = now }
        let at = now
        switch service.progress {
        case .rollingBack(.intended):
            guard new.generation == old.generation else { return }
            switch before.progress {
            // It goes on with the same rollback, and has waited since its beginning.
            case .rollingBack: return
            case .rolledBack: check(.oneRollback, false, "\(name) goes back again in generation \(new.generation)")
            case .waiting, .shifting, .baking, .promoted: memory.rollbacks["\(name)/\(new.generation)", default: 0] += 1
            }
            check(.oneRollback, memory.rollbacks["\(name)/\(new.generation)"] == 1, "\(name) goes back twice")
            memory.backSince[name] = now
            batch.intents.append(name)
            checkLedger(new, "intended", nil)
        case .rollingBack(.shifted): checkLedger(new, "shifted", name)
        case .rollingBack(.verified):
            checkRead(name, .allStable, without: service.abandoned)
            checkLedger(new, "verified", name)
        case .rolledBack:
            checkLedger(new, service.abandoned.count == routes(of: name).count ? "abandoned" : "isolated", name)
        case .baking:
            checkRead(name, service.split)
            setElement(name) { ($0.verifiedAt, $0.isExcused) = (at, false) }
        case .promoted:
            passed(name, before)
            if !new.isFull { checkHooks(name, before, nil, old) }
        case .shifting(let stage) where !service.isRestoring:
            passed(name, before)
            if !new.isFull { checkHooks(name, before, stage, old) }
        case .shifting: break
        case .waiting: break
        }
    }

    /// The service continues from its stage.
    private mutating func passed(_ name: String, _ before: ServiceRollout) {
        guard case .baking = before.progress else { return }
        checkCounted(name)
    }

    mutating func setElement(_ name: String, _ body: (inout Element) -> Void) {
        guard let index = elements.firstIndex(where: { $0.service == name }) else { return }
        body(&elements[index])
    }

    private mutating func checkRead(_ name: String, _ split: TrafficSplit, without abandoned: Set<Int> = []) {
        let kept = routes(of: name).filter { !abandoned.contains($0.index) }
        for route in kept {
            guard let router = routers[route] else { continue }
            check(
                .readBack, router.seen?.split == split && router.seenAt >= router.shiftedAt,
                "\(route) counts as \(split), last read \(router.seen?.split?.description ?? "never")")
        }
    }

    /// Whether a user gives the order to start at this time.
    private var isStartOrdered: Bool {
        switch commanded {
        case .start, .startOnly: true
        case .pause, .resume, .promote, .promoteWithoutData, .promoteFully, .abort, .rollback, .restore, .abandonRoute,
            .adopt, .observe, .acknowledge, .finishUpgrade, nil:
            false
        }
    }

    func routes(of name: String) -> [RouteID] {
        (plan.service(name)?.routes.indices ?? 0..<0).map { RouteID(name, $0) }
    }

    private mutating func checkLedger(_ state: RolloutState, _ step: String, _ service: String?) {
        let key = LedgerKey(rollback: state.rollback?.id ?? "", step: step, service: service)
        check(.evidence, ledger.contains(key), "\(key.rollback): \(step) \(service ?? "") is not in the history")
    }

    private mutating func checkCooldown(_ name: String, _ until: Instant?) {
        check(.noRiseWhileTripped, until.map { $0 <= clock } ?? true, "\(name) rises during a cooldown")
        check(
            .noRiseWhileTripped, memory.cooldownUntil <= clock, "\(name) rises before the cooldown of its rule is over")
    }

    /// An event is written to the history.
    mutating func recorded(_ event: RollbackEvent) {
        guard event.kind == .step, let step = event.body["step"]?.text, let id = event.body["rollback"]?.text else {
            return
        }
        ledger.insert(LedgerKey(rollback: id, step: step, service: event.body["service"]?.text))
        guard step == "intended" else { return }
        if let adopted { checkUnordered(event, adopted) }
        let causes = event.body["causes"]?.elements ?? []
        check(.evidence, !causes.isEmpty, "\(id) without a cause")
        for cause in causes {
            guard let trip = cause["trip"] else { continue }
            let isProven =
                trip["rule_hash"]?.text == "h" && trip["samples"]?.elements?.isEmpty == false
                && trip["threshold"]?.text == "0.95"
            check(.evidence, isProven, "\(id) without rule hash, samples or threshold")
        }
    }

    /// A shift is about to be sent.
    mutating func checkShift(_ operation: RouterOperation, _ split: TrafficSplit) {
        let name = operation.service
        guard let wanted = lastState.services[name], let router = routers[operation.target] else {
            return fail(.recovery, "no intent for \(name)")
        }
        let key = "\(plan.name)/\(lastState.generation)/\(name)/\(wanted.revision)"
        check(.recovery, wanted.split == split, "\(name) shifted to \(split), intended was \(wanted.split)")
        if operation.key == key {
            let isKnown = storedStates.contains { state in
                state.generation == lastState.generation && state.services[name]?.revision == wanted.revision
            }
            check(.recovery, isKnown, "\(name) shifted as \(key), which the next process does not know")
        } else {
            let isOwn = operation.key == "\(key)/process \(process)"
            check(.recovery, isOwn, "\(name) shifted as \(operation.key), intended was \(key)")
        }
        check(.weights, (0...100).contains(split.candidate), "\(split)")
        let meant = keys.updateValue(split, forKey: operation.key) ?? split
        check(.recovery, meant == split, "\(operation.key) meant \(meant) before, and \(split) now")
        let before = router.seen?.split ?? .allStable
        if split < before || split == .allStable {
            // A stage waits until every route has been read, for a short time.
            let isStage = if case .shifting = wanted.progress { !wanted.isRestoring } else { false }
            let isRecent = router.seenAt == now || isStage && now < router.seenAt + .seconds(5)
            let isVerified = router.seen?.stable == .healthy && isRecent
            check(.healthyTarget, isVerified, "\(name) shifted to a stable version that was not verified healthy")
        }
        if split > before { checkRise(name, split) }
        guard case .rollingBack = wanted.progress, let rollback = lastState.rollback else { return }
        let isIrreversible = memory.irreversible[name] == lastState.generation
        check(.irreversible, !isIrreversible, "\(name) goes back, and cannot")
        if rollback.isBesideStable {
            let isUsed = router.seen?.split != .allCandidate
            check(.unmanaged, isUsed, "\(name) shifted to a stable version without traffic, and nobody ordered it")
        }
        for dependent in order.dependents[name] ?? [] where rollback.services.contains(dependent) {
            switch lastState.services[dependent]?.progress {
            case .rollingBack(let step):
                check(
                    .dependentsFirst, step >= .verified || isOrderBroken(name, dependent, rollback),
                    "\(name) went back before \(dependent)")
            case .rolledBack, .waiting, .shifting, .baking, .promoted, nil: check(.dependentsFirst, true, "")
            }
        }
    }

    /// Whether `dependent` has been waited for long enough, could not be reached, and that is recorded.
    private func isOrderBroken(_ name: String, _ dependent: String, _ rollback: RollbackRecord) -> Bool {
        guard let since = memory.backSince[name], now >= since + .seconds(10),
            ledger.contains(LedgerKey(rollback: rollback.id, step: "order broken", service: name))
        else { return false }
        return routes(of: dependent).contains { route in
            guard let router = routers[route] else { return false }
            // An operation from before may still be without a reply.
            return router.isDead || router.asked != nil || max(router.troubledAt, router.silentUntil) >= since
        }
    }

    /// The states that the next process may begin with.
    private var storedStates: [RolloutState] {
        [disk.record?.state, shape.hasLease ? database.last?.record.state : nil].compactMap(\.self)
    }

    private mutating func checkRise(_ name: String, _ split: TrafficSplit) {
        let isKnown = storedStates.contains {
            $0.generation == lastState.generation && $0.services[name]?.split == split
        }
        check(.recovery, isKnown, "\(name) rises to \(split), which the next process does not know")
        checkCooldown(name, lastState.cooldownUntil)
        check(.lostRecord, lastState.loss == nil && !isLossNew, "\(name) rises, and a record was lost")
        check(.leaseHolderOnly, !isAlone, "\(name) rises although the lease cannot be renewed")
        check(
            .noRiseWhileTripped, memory.unread.allSatisfy { $0.service != name },
            "\(name) rises, and may have been taken back by another node")
        switch lastState.phase {
        case .promoting, .paused, .promoted, .retired: break
        case .idle, .rollingBack, .rolledBack: fail(.noRiseWhileTripped, "\(name) rises after a rollback")
        }
        guard rule.mode == .enforce else { return }
        let isTripped = machine?.rules.values.contains(where: \.isTripped) == true
        check(.noRiseWhileTripped, !isTripped, "\(name) rises while a trip is active")
    }

    /// Properties that hold when all actions of one event were executed.
    mutating func checkBatch() {
        guard !batch.crashed else { return }
        checkFreezeTold()
        for name in batch.intents where lastState.services[name]?.progress == .rollingBack(.intended) {
            let waits = (order.dependents[name] ?? []).contains { dependent in
                guard lastState.rollback?.services.contains(dependent) == true,
                    case .rollingBack(let step) = lastState.services[dependent]?.progress
                else { return false }
                return step < .verified
            }
            for route in routes(of: name) {
                check(.nothingDelaysTheShift, waits || batch.operated.contains(route), "nothing was asked of \(route)")
            }
        }
    }

    /// While rules stop promotion, users are notified; when they no longer do, users are notified of that too.
    private mutating func checkFreezeTold() {
        guard let controller, controller.epoch != nil else { return }
        let key = "/promotion/frozen: "
        let isTold = told.contains { $0.contains(key) }
        if controller.state.phase != .promoting {
            check(.toldOnce, !isTold, "the end of a freeze was not notified")
        } else if !controller.freezes.isEmpty {
            // The page about a reduction speaks of the freeze by the trip as well, but of no other.
            let isReduced =
                rule.action.reduceTo != nil && told.contains { $0.contains("/reduced: ") }
                && controller.freezes.allSatisfy { $0.hasSuffix(": tripped") }
            check(.toldOnce, isTold || isReduced, "a freeze was not notified")
        }
    }

    /// Drift of idle services, without an obstacle to its correction for long enough.
    mutating func checkDrift() {
        guard let controller, !leaseLost, !isAlone else { return }
        for (name, router) in routers {
            guard let service = controller.state.services[name.service], router.live != service.split,
                !isInMotion(service), !router.isDead, controller.state.phase != .idle, router.stableIsHealthy,
                !isHeldBack(name, controller.state, controller.freezes), controller.state.observingUntil == nil
            else {
                routers[name]?.driftedAt = nil
                continue
            }
            let since = router.driftedAt ?? now
            routers[name]?.driftedAt = since
            let limit = max(since, router.troubledAt) + plan.reconcile + Self.patience
            let live = describe(router.live)
            check(.driftCorrected, now < limit, "\(name): live \(live), wanted \(service.split)")
        }
    }

    /// Whether the live weight of a candidate is too low, and must stay so.
    private func isHeldBack(_ route: RouteID, _ state: RolloutState, _ freezes: Set<String>) -> Bool {
        guard let service = state.services[route.service],
            service.split > routers[route]?.live ?? .allStable
        else { return false }
        if state.doubts.contains(route.service), isStuck(route.service) { return true }
        // Before all of them were read, and without the journal, nothing rises.
        if routers.values.contains(where: \.isDead) || controller?.journalTrouble(at: clock) != nil { return true }
        return state.phase == .rolledBack || state.phase == .rollingBack || !freezes.isEmpty
            || state.cooldownUntil.map { clock < $0 } ?? false || state.loss != nil
    }

    /// Properties that hold after some time without faults.
    mutating func checkRest() {
        guard let controller else { return fail(.recovery, "the process is down") }
        let state = controller.state
        // Every start doubts the whole record, so that what is doubted need not be in the journal.
        var recorded = lastState
        recorded.doubts = state.doubts
        check(.recovery, disk.record == nil || state == recorded, "the state differs from the last record")
        let isWritten = disk.record == nil || disk.busy != nil || disk.record?.state == lastState
        check(.recovery, isWritten, "the last record is not on disk")
        check(
            .recovery, state.phase != .rollingBack,
            "a rollback never ended: \(state.rollback.map { "\($0.step)" } ?? "")")
        let obstacle = controller.obstacle(at: clock) ?? "no obstacle"
        let mayEnd = state.phase != .promoting || state.loss != nil
        check(.recovery, mayEnd, "a promotion never ended: \(obstacle)")
        check(.hooks, !state.hooks.values.contains(false), "hooks after a promotion or a rollback were not called")
        if state.phase == .idle { return }
        for (route, router) in routers where !router.isDead {
            guard let service = state.services[route.service] else { continue }
            if case .shifting = service.progress { continue }
            if isHeldBack(route, state, controller.freezes) { continue }
            let (isRight, live) = (router.live == service.split, describe(router.live))
            check(.driftCorrected, isRight, "\(route): live \(live), wanted \(service.split)")
        }
    }

    /// A reading has failed: until the next one, no status may have a division of that route.
    mutating func checkUnread() {
        guard let route = failedReading.take(), let view = controller?.views[route] else { return }
        let shown = describe(view.observed)
        check(.unreadDivision, view.unreadableSince != nil, "\(route) shows \(shown), and was not read")
    }

    /// A process continues with `state` and `rules`: what they call tripped was acted on, or at least journalled.
    mutating func checkHandled(_ state: RolloutState, _ rules: [String: RollbackRule]) {
        // Where a record was lost, trips count again at each start.
        guard rule.mode == .enforce, state.loss == nil, state.observingUntil == nil else { return }
        switch state.phase {
        case .idle, .retired: return
        case .promoting, .paused, .promoted, .rollingBack, .rolledBack: break
        }
        for element in elements {
            let isTripped = rules["f;g;R"]?.tracks[element.labels].map { $0.state != .armed } ?? false
            let left = order.targets(of: element.service, rule.action.scope).filter { name in
                // A reduction leaves its share, and its way down goes on in the next process.
                isTripped && !isStuck(name) && state.services[name]?.split ?? .allStable > highestAfterTrip
                    && routes(of: name).contains { routers[$0]?.live ?? .allStable > .allStable }
            }
            check(.handledTrip, left.isEmpty, "the trip of \(element.service) is over, \(left) has traffic")
        }
    }

    private func describe(_ split: TrafficSplit?) -> String { split?.description ?? "nobody" }
}
