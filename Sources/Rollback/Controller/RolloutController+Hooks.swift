internal import JSON
internal import MetricModel

/// Hooks: checks outside of Tribune. Those before and after a stage hold the candidate's traffic where it is until all
/// have passed, and those after a promotion or a rollback only tell people. None delays a shift to the stable version.
extension RolloutController {
    /// A hook that was called or is to be called, for display.
    public struct HookView: Hashable, Sendable {
        /// The hook's name.
        public var name: String
        /// The moment, with the service and the stage.
        public var moment: String
        /// The last answer; `nil` before the first one.
        public var answer: HookAnswer?
        /// Since when it is waited for.
        public var since: Instant
    }

    /// The interval at which a hook without a verdict is called again.
    private static var hookInterval: Milliseconds { .seconds(10) }

    /// One moment of a rollout.
    private struct Place {
        var moment: RolloutHook.Moment
        var service: String?
        var stage: Int?
        var rollback: String?

        /// The same for the same moment of a rollout, in every process.
        func key(_ hook: String) -> String {
            let parts: [String?] = [moment.rawValue, service, stage.map { String($0 + 1) }, rollback, hook]
            return parts.compactMap(\.self).joined(separator: "/")
        }

        var text: String {
            let name = moment.rawValue.replacing("_", with: " ")
            guard let service, let stage else { return name }
            return "\(name) \(stage + 1) of \(service)"
        }
    }

    // MARK: before and after stages

    /// Whether the hooks before a rollout have passed. Once a service has begun they are no longer asked.
    mutating func passHooksBeforeRollout(at now: Instant) -> Bool {
        let isUntouched = plan.services.allSatisfy { state.services[$0.name]?.progress == .waiting }
        guard isUntouched, !state.isFull else { return true }
        return pass(Place(moment: .beforeRollout), at: now)
    }

    /// Whether the hooks before `stage` of `service` have passed.
    mutating func passHooks(before stage: Int, of service: String, at now: Instant) -> Bool {
        pass(Place(moment: .beforeStage, service: service, stage: stage), at: now)
    }

    /// Whether the hooks after `stage` of `service` have passed. None belongs to a weight below the first stage, which
    /// a reduction, a checkpoint or another writer can set.
    mutating func passHooks(after stage: Int, of service: String, at now: Instant) -> Bool {
        stage < 0 || pass(Place(moment: .afterStage, service: service, stage: stage), at: now)
    }

    /// Calls the hooks of `place` that have not passed. Returns whether all have.
    private mutating func pass(_ place: Place, at now: Instant) -> Bool {
        var isOpen = true
        for hook in plan.hooks where hook.isCalled(at: place.moment, of: place.service) {
            let key = place.key(hook.name)
            guard state.hooks[key] != true else { continue }
            isOpen = false
            call(hook, place, key, at: now)
        }
        return isOpen
    }

    // MARK: after a promotion or a rollback

    /// Remembers that the hooks of `moment` are to be called.
    mutating func oweHooks(_ moment: RolloutHook.Moment, rollback: String? = nil) {
        let place = Place(moment: moment, rollback: rollback)
        for hook in plan.hooks where hook.isCalled(at: moment, of: nil) { state.hooks[place.key(hook.name)] = false }
    }

    /// Calls the hooks that are to be called after a promotion or a rollback.
    mutating func advanceOwedHooks(at now: Instant) {
        guard state.hooks.values.contains(false) else { return }
        for (key, isDone) in state.hooks.sorted(by: { $0.key < $1.key }) where !isDone {
            if let (hook, place) = place(of: key) { call(hook, place, key, at: now) }
        }
    }

    // MARK: calls

    private mutating func call(_ hook: RolloutHook, _ place: Place, _ key: String, at now: Instant) {
        var work = hooks[key] ?? HookWork(since: now)
        defer { hooks[key] = work }
        if let call = work.call {
            guard call.deadline <= now else { return wake(at: call.deadline) }
            work.call = nil
            work.answer = HookAnswer(.none, "no answer")
            work.due = now + Self.hookInterval
        }
        if let due = work.due, due > now { return wake(at: due) }
        work.due = nil
        lastOperation &+= 1
        // The caller measures the time itself, and answers when it is over.
        let deadline = now + hook.timeout + .seconds(10)
        work.call = ServiceWork.Question(id: lastOperation, deadline: deadline)
        wake(at: deadline)
        let stages = place.service.flatMap { plan.service($0)?.stages } ?? []
        let candidate = place.stage.flatMap { stages.indices.contains($0) ? stages[$0].candidate : nil }
        outbox.append(
            .call(
                HookCall(
                    id: lastOperation, hook: hook, plan: plan.name, generation: state.generation,
                    service: place.service, stage: place.stage.map { $0 + 1 }, candidate: candidate,
                    rollback: place.rollback, key: "\(plan.name)/\(state.generation)/\(key)")))
    }

    /// A hook has answered, or was given up. Answers to calls that are no longer active are ignored.
    public mutating func hookAnswered(_ call: UInt64, _ answer: HookAnswer, at now: Instant) -> [Action] {
        guard let key = hooks.first(where: { $0.value.call?.id == call })?.key else { return [] }
        return handle(at: now) { $0.settle(key, answer, at: now) }
    }

    private mutating func settle(_ key: String, _ answer: HookAnswer, at now: Instant) {
        guard var work = hooks[key], let (hook, place) = place(of: key) else {
            hooks[key] = nil
            return
        }
        let isNew = work.answer?.verdict != answer.verdict
        work.call = nil
        work.answer = answer
        work.due = now + Self.hookInterval
        hooks[key] = work
        if isNew { record(hook, place, answer, at: now) }
        switch answer.verdict {
        case .pass:
            state.hooks[key] = true
            resolve(key)
            hooks[key] = nil
            journal("hook", at: now)
        case .hold, .none: break
        case .fail: failed(hook, place, key, answer.detail, at: now)
        }
    }

    /// The hook and the moment of `key`, if the plan still has them. No part of a key contains a slash.
    private func place(of key: String) -> (RolloutHook, Place)? {
        let parts = key.split(separator: "/").map(String.init)
        guard let moment = parts.first.flatMap(RolloutHook.Moment.init),
            let hook = plan.hooks.first(where: { $0.moment == moment && $0.name == parts.last })
        else { return nil }
        switch moment {
        case .beforeRollout, .afterPromotion: return (hook, Place(moment: moment))
        case .afterRollback: return parts.count == 3 ? (hook, Place(moment: moment, rollback: parts[1])) : nil
        case .beforeStage, .afterStage:
            guard parts.count == 4, let service = plan.service(parts[1]), let number = Int(parts[2]),
                service.stages.indices.contains(number - 1), hook.isCalled(at: moment, of: service.name)
            else { return nil }
            return (hook, Place(moment: moment, service: service.name, stage: number - 1))
        }
    }

    private mutating func record(_ hook: RolloutHook, _ place: Place, _ answer: HookAnswer, at now: Instant) {
        record(
            .deployment,
            [
                "step": "hook", "hook": .string(hook.name), "when": .string(place.moment.rawValue),
                "service": place.service.map(JSON.string) ?? .null,
                "stage": place.stage.map { .integer(Int64($0 + 1)) } ?? .null,
                "rollback": place.rollback.map(JSON.string) ?? .null,
                "verdict": .string(answer.verdict.rawValue), "detail": .string(answer.detail),
            ], at: now)
    }

    private mutating func failed(
        _ hook: RolloutHook, _ place: Place, _ key: String, _ detail: String, at now: Instant
    ) {
        let reason = "hook \(hook.name) \(place.text): \(detail)"
        resolve(key)
        hooks[key] = nil
        switch place.moment {
        case .beforeRollout, .beforeStage:
            // Nothing speaks against the traffic that the candidate has.
            guard state.phase == .promoting else { return }
            stop(reason, at: now)
            pagePause("hook/\(key)/failed", reason)
        case .afterStage:
            guard state.phase == .promoting, !state.isFull, let service = place.service,
                case .baking(let stage, _)? = state.services[service]?.progress, stage == place.stage
            else { return }
            fail(service, reason, at: now)
        case .afterPromotion, .afterRollback:
            state.hooks[key] = true
            journal("hook", at: now)
            page("hook/\(key)/failed", "plan \(plan.name): \(reason)")
        }
    }

    // MARK: people

    /// The hooks that are waited for.
    public var hookViews: [HookView] {
        hooks.sorted { $0.key < $1.key }.compactMap { key, work in
            guard let (hook, place) = place(of: key) else { return nil }
            return HookView(name: hook.name, moment: place.text, answer: work.answer, since: work.since)
        }
    }

    /// The hook that promotion waits for, as text; `nil` if there is none.
    var waitedHook: String? {
        guard let view = hookViews.first else { return nil }
        let answer = view.answer.map { "\($0.verdict.rawValue), \($0.detail)" } ?? "no answer yet"
        return "waits for the hook \(view.name) \(view.moment): \(answer)"
    }

    /// Drops what is waited for no more, and pages once about each hook that has given no verdict for `gate_timeout`.
    /// One after a promotion or a rollback is then given up.
    mutating func tendHooks(at now: Instant) {
        for (key, work) in hooks {
            guard let (hook, place) = place(of: key), isAwaited(place, key) else {
                resolve(key)
                hooks[key] = nil
                continue
            }
            let end = work.since + plan.gateTimeout
            guard now >= end else {
                wake(at: end)
                continue
            }
            guard work.page == nil else { continue }
            let detail =
                work.answer.map { "\($0.verdict == .hold ? "hold" : "no verdict"): \($0.detail)" } ?? "no answer"
            let text = "hook \(hook.name) \(place.text): \(detail)"
            let page = page("hook/\(key)", "plan \(plan.name): waits for \(text)", severity: "warning")
            hooks[key]?.page = page
            switch place.moment {
            case .beforeRollout, .beforeStage, .afterStage: continue
            case .afterPromotion, .afterRollback:
                record(hook, place, HookAnswer(.none, "given up: \(detail)"), at: now)
                state.hooks[key] = true
                hooks[key] = nil
                journal("hook", at: now)
            }
        }
    }

    private func isAwaited(_ place: Place, _ key: String) -> Bool {
        switch place.moment {
        case .beforeRollout: return state.phase == .promoting && !state.isFull
        case .afterPromotion, .afterRollback: return state.hooks[key] == false
        case .beforeStage, .afterStage:
            guard state.phase == .promoting, let service = place.service, let stage = place.stage else { return false }
            let isBefore = place.moment == .beforeStage
            switch state.services[service]?.progress {
            case .waiting: return isBefore && stage == 0
            case .baking(let baked, _): return stage == (isBefore ? baked + 1 : baked)
            case .shifting, .promoted, .rollingBack, .rolledBack, nil: return false
            }
        }
    }

    /// Resolves the page about the wait for a hook.
    private mutating func resolve(_ key: String) {
        let page = hooks[key]?.page
        if let page { resolvePage(page, ": the hook is not waited for any more") }
    }

    /// Forgets the verdicts about the stages of `service`.
    mutating func forgetHooks(of service: String) {
        state.hooks = state.hooks.filter { key, _ in
            !key.hasPrefix("\(RolloutHook.Moment.beforeStage.rawValue)/\(service)/")
                && !key.hasPrefix("\(RolloutHook.Moment.afterStage.rawValue)/\(service)/")
        }
    }
}
