/// Telling people that promotion stands still although nobody paused it and nothing went back.
extension RolloutController {
    /// What rules forbid a candidate more traffic for, and people have to know of; `nil` when nothing does.
    ///
    /// Every rollout begins without a measurement of the rules of `freeze_if`, which forbids more traffic all the same
    /// (``obstacle(at:)``); it is told once it has lasted `gate_timeout`, for then nothing measures the rule.
    private func freeze(at now: Instant) -> String? {
        if let held = freezes.min() { return "held back by \(held)" }
        for name in plan.freezeIf {
            switch standings[name] {
            case .healthy: continue
            case .violated: return "frozen by \(name): violated"
            case .missing:
                guard isDataDue(of: name, at: now) else { continue }
                return "frozen by \(name): no data"
            case nil:
                guard isDataDue(of: name, at: now) else { continue }
                guard let since = unmeasuredSince, now >= since + plan.gateTimeout else { continue }
                return "frozen by \(name): not measured for \(plan.gateTimeout)"
            }
        }
        return nil
    }

    /// Notes since when a rule that promotion depends on waits for its first measurement, and wakes when that is to be
    /// told.
    private mutating func awaitMeasurements(at now: Instant) {
        guard state.phase == .promoting, plan.freezeIf.contains(where: { standings[$0] == nil }) else {
            unmeasuredSince = nil
            return
        }
        let since = unmeasuredSince ?? now
        unmeasuredSince = since
        let end = since + plan.gateTimeout
        if now < end { wake(at: end) }
    }

    /// Pages people once when promotion freezes, and takes that back when it thaws or is no longer under way.
    ///
    /// Who was told is forgotten with the process and with the lease: who follows tells again, under the same key.
    mutating func tellOfFreeze(at now: Instant) {
        awaitMeasurements(at: now)
        // Which trips stand is told once the rules have forgotten those of the last rollout.
        guard !outbox.contains(.rearm) else { return }
        let reason = state.phase == .promoting ? freeze(at: now) : nil
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
