/// Telling people that promotion stands still although nobody paused it and nothing went back.
extension RolloutController {
    /// What rules forbid a candidate more traffic for; `nil` when nothing does.
    ///
    /// A rule of `freeze_if` that was never measured is not among it: every rollout begins so. It forbids more traffic all the same
    /// (``obstacle(at:)``).
    var freeze: String? {
        if let held = freezes.min() { return "held back by \(held)" }
        for name in plan.freezeIf {
            switch standings[name] {
            case .healthy, nil: continue
            case .violated: return "frozen by \(name): violated"
            case .missing: return "frozen by \(name): no data"
            }
        }
        return nil
    }

    /// Pages people once when promotion freezes, and takes that back when it thaws or is no longer under way.
    ///
    /// Who was told is forgotten with the process and with the lease: who follows tells again, under the same key.
    mutating func tellOfFreeze() {
        // Which trips stand is told once the rules have forgotten those of the last rollout.
        guard !outbox.contains(.rearm) else { return }
        let reason = state.phase == .promoting ? freeze : nil
        switch (reason, toldFreeze) {
        case (let reason?, nil):
            toldFreeze = page("promotion/frozen", "plan \(plan.name): promotion stands still: \(reason)")
        case (nil, let key?):
            toldFreeze = nil
            outbox.append(
                .notify(
                    RollbackNotice(
                        plan: plan.name, key: key, kind: .over,
                        text: "plan \(plan.name): promotion is no longer frozen", receivers: plan.notify)))
        case (nil, nil), (_?, _?): break
        }
    }
}
