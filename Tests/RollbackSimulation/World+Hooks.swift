import MetricModel
import Rollback

/// Hooks: what they answer, and when they must have passed.
extension World {
    /// A hook is called.
    mutating func called(_ call: HookCall) {
        note("hook \(call.key)")
        let delay = random.pick(5...min(3000, call.hook.timeout.rawValue))
        guard injector.strikes(.hookTrouble) else {
            return schedule(.hook(HookAnswer(.pass, "well"), call, process: process), after: delay)
        }
        switch injector[.hookTrouble].pick(0...5) {
        case 0: schedule(.hook(HookAnswer(.fail, "bad"), call, process: process), after: delay)
        case 1, 2: schedule(.hook(HookAnswer(.hold, "not yet"), call, process: process), after: delay)
        case 3, 4:
            schedule(
                .hook(HookAnswer(.none, "too slow"), call, process: process), after: call.hook.timeout.rawValue)
        default: break
        }
    }

    /// The answer arrives, if the process still runs.
    mutating func hookAnswers(_ answer: HookAnswer, _ call: HookCall, _ process: Int) {
        guard process == self.process, machine != nil else { return }
        note("hook \(call.key): \(answer.verdict)")
        if answer.verdict == .pass { passedHooks.insert(call.key) }
        step { $0.hookAnswered(call.id, answer, at: $1) }
    }

    /// `name` is about to get the traffic of `stage`, or has passed its last one, and was in the state `before`.
    mutating func checkHooks(_ name: String, _ before: ServiceRollout, _ stage: Int?, _ old: RolloutState) {
        var moments: [(RolloutHook.Moment, String)] = []
        if case .baking(let last, _) = before.progress, last >= 0 {
            moments.append((.afterStage, "\(name)/\(last + 1)/"))
        }
        if let stage { moments.append((.beforeStage, "\(name)/\(stage + 1)/")) }
        if stage == 0, old.services.values.allSatisfy({ $0.progress == .waiting }) {
            moments.append((.beforeRollout, ""))
        }
        for (moment, place) in moments {
            for hook in plan.hooks
            where hook.moment == moment && (place.isEmpty || hook.services.isEmpty || hook.services.contains(name)) {
                let key = "\(plan.name)/\(lastState.generation)/\(moment.rawValue)/\(place)\(hook.name)"
                check(.hooks, passedHooks.contains(key), "\(name) goes on, and \(key) has not passed")
            }
        }
    }
}
