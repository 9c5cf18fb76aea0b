internal import MetricModel
internal import RuleModel

extension VerdictMachine {
    /// The verdict at `now`.
    package func standing(at now: Instant) -> VerdictStanding {
        let (verdict, reasons) = judged(at: now)
        return VerdictStanding(
            name: name, verdict: verdict, reasons: reasons,
            rules: sortedWatches.map { rule(of: $0, at: now) }, release: release, at: now)
    }

    private func judged(at now: Instant) -> (VerdictStanding.Verdict, [String]) {
        guard let release else { return (.unknown, ["no release is known"]) }
        switch release.state {
        case .waiting: return (.unknown, ["release \(release.name) has not begun"])
        case .over(let at, let outcome):
            return (.unknown, ["release \(release.name) ended at \(at.text): \(outcome)"])
        case .running(let since):
            if !release.trips.isEmpty { return (.violated, release.trips.map(\.description)) }
            let lacks = lacks(from: release.trafficSince ?? since, at: now)
            return (lacks.isEmpty ? .healthy : .unknown, lacks)
        }
    }

    /// The reasons not to call the candidate healthy since `start`, by rule.
    func lacks(from start: Instant, at now: Instant) -> [String] {
        let enforcing = sortedWatches.filter { $0.definition.mode == .enforce }
        // Rules for which missing data are healthy are not enough.
        guard enforcing.contains(where: { $0.definition.missing.policy != .pass }) else {
            return ["no rule in mode enforce needs data, so nothing shows health"]
        }
        return enforcing.compactMap { lack(of: $0, from: start, at: now) }
    }

    /// Why a release must not begin now: nothing would guard it, or the last one is not over for a rule.
    func obstacles(at now: Instant) -> [String] {
        let enforcing = sortedWatches.filter { $0.definition.mode == .enforce }
        if enforcing.isEmpty { return ["no rule in mode enforce judges it"] }
        return enforcing.compactMap { unguarded($0, at: now) ?? formerTrip($0, at: now) }
    }

    /// Why the rule would not notice a violation.
    private func unguarded(_ watch: VerdictRule, at now: Instant) -> String? {
        let name = watch.definition.name
        guard let last = evaluations[watch.key] else { return "\(name) has not been evaluated yet" }
        if now > last.at + watch.maximumAge { return "\(name) has not been evaluated since \(last.at.text)" }
        return last.failure.map { "\(name) cannot be evaluated: \($0)" }
    }

    /// A trip that is not of the running release, and that is not over.
    private func formerTrip(_ watch: VerdictRule, at now: Instant) -> String? {
        guard let rule = rules[watch.key] else { return nil }
        for (labels, track) in rule.tracks.sorted(by: { $0.key < $1.key }) {
            guard case .tripped(let at, _) = track.state, !isOwn(watch.key, labels, at) else { continue }
            let end = at + rule.definition.cooldown
            let text =
                "\(watch.definition.name) tripped at \(RFC3339.text(milliseconds: at.milliseconds))"
                + (labels.isEmpty ? "" : " for \(labels)") + ", before this release"
            if now.timestamp < end {
                return "\(text); its cooldown ends at \(RFC3339.text(milliseconds: end.milliseconds))"
            }
            if let seen = track.seenAt, seen == evaluations[watch.key]?.time { return "\(text), and has not cleared" }
        }
        return nil
    }

    /// The reason not to say that `watch` finds the candidate healthy; `nil` for none.
    private func lack(of watch: VerdictRule, from start: Instant, at now: Instant) -> String? {
        if let reason = unguarded(watch, at: now) ?? formerTrip(watch, at: now) { return reason }
        let name = watch.definition.name
        if rules[watch.key]?.isTripped == true { return "\(name) has tripped" }
        let streak = rules[watch.key]?.streak ?? 0
        if streak > 0 {
            return "\(name) is violated, \(streak) of \(max(1, watch.definition.consecutive)) times in a row"
        }
        let missing = rules[watch.key]?.tracks.values.filter { $0.announced.contains(.freeze) } ?? []
        if let since = missing.compactMap(\.missingSince).min() {
            return "\(name) has no data since \(RFC3339.text(milliseconds: since.milliseconds))"
        }
        if watch.definition.missing.policy == .pass { return nil }
        guard let sample = evaluations[watch.key]?.sample else { return "\(name) has no data" }
        let first = start + watch.definition.longestRange
        if sample < first { return "\(name) has no data from after \(first.text) yet" }
        if now > sample + watch.maximumAge { return "\(name) has no data since \(sample.text)" }
        return nil
    }

    private func rule(of watch: VerdictRule, at now: Instant) -> VerdictStanding.Rule {
        let rule = rules[watch.key]
        let worst = rule?.tracks.sorted { left, right in
            (left.value.streak, right.key) > (right.value.streak, left.key)
        }.first?.value
        var lack: String?
        if let release, let since = release.runningSince {
            lack = self.lack(of: watch, from: release.trafficSince ?? since, at: now)
        }
        return VerdictStanding.Rule(
            name: watch.definition.name, condition: watch.definition.trip.description,
            mode: watch.definition.mode.rawValue, value: worst?.lastValue,
            measuredAt: evaluations[watch.key]?.sample, isTripped: rule?.isTripped ?? false,
            streak: rule?.streak ?? 0, lack: lack)
    }
}

extension Instant {
    /// `2026-11-30T08:00:00Z`.
    var text: String { RFC3339.text(milliseconds: timestamp.milliseconds) }
}
