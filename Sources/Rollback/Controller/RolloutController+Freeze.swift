/// Notifications about promotion that is stopped without a pause or a rollback.
extension RolloutController {
    /// The reason of rules to stop promotion, for notification; `nil` if there is none.
    ///
    /// Every rollout begins without a measurement of the rules of `freeze_if`, which stops promotion too
    /// (``obstacle(at:)``). It is notified when it has lasted `gate_timeout`, because then nothing measures the rule.
    private func freeze(at now: Instant) -> String? {
        // The page about a reduction says so already.
        let known = work.values.compactMap { $0.reduction?.freeze }
        if let held = freezes.subtracting(known).min() { return "held back by \(held)" }
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

    /// Stores since when a required rule has had no measurement, and sets the time of the notification.
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

    /// Pages that the rollout was paused without an order. ``resolvePausePages()`` resolves it.
    mutating func pagePause(_ key: String, _ reason: String) {
        pausePages.append(page(key, "plan \(plan.name): promotion stands still: \(reason)"))
    }

    /// Resolves the pages of ``pagePause(_:_:)`` when the rollout is no longer paused.
    mutating func resolvePausePages() {
        switch state.phase {
        case .paused: break
        case .idle, .promoting, .promoted, .retired, .rollingBack, .rolledBack:
            for page in pausePages { resolvePage(page, ": promotion does not stand still any more") }
            pausePages = []
        }
    }

    /// Pages once when promotion freezes, and resolves the page when it continues or ends.
    ///
    /// The state of notifications is lost with the process and with the lease: the successor notifies again with the
    /// same key.
    mutating func notifyOfFreeze(at now: Instant) {
        awaitMeasurements(at: now)
        // Active trips are notified when the rules have been rearmed after the last rollout.
        guard !outbox.contains(.rearm) else { return }
        let reason = state.phase == .promoting ? freeze(at: now) : nil
        switch (reason, freezePage) {
        case (let reason?, nil):
            freezePage = page("promotion/frozen", "plan \(plan.name): promotion stands still: \(reason)")
        case (nil, let key?):
            freezePage = nil
            resolvePage(key, ": promotion is no longer frozen")
        case (nil, nil), (_?, _?): break
        }
    }
}
