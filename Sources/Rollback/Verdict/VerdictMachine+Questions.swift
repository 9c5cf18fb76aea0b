internal import JSON
internal import MetricModel
internal import RuleModel

extension VerdictMachine {
    /// Answers a question of another controller, which may begin or end a release.
    package mutating func asked(_ question: VerdictQuestion, at now: Instant) -> (VerdictReply, [Action]) {
        let before = self
        var actions: [Action] = []
        let (isYes, text) = answer(question, at: now, &actions)
        let standing = standing(at: now)
        if let record = answered(question, isYes, text, standing, at: now) { actions.append(record) }
        if release != before.release || rules != before.rules { actions.append(.keep) }
        return (VerdictReply(isYes: isYes, text: text, standing: standing), actions)
    }

    /// A person ends the release, so that the next question begins one anew. Returns whether there was one.
    package mutating func ended(by person: String, at now: Instant) -> (Bool, [Action]) {
        let actions = end("ended by a person", by: person, at: now)
        return (!actions.isEmpty, actions)
    }

    private mutating func answer(
        _ question: VerdictQuestion, at now: Instant, _ actions: inout [Action]
    ) -> (Bool, String) {
        switch question.sense {
        case .postRollout, .event:
            actions += ended(question, at: now)
            return (true, "noted")
        case .confirmRollout, .preRollout: return mayBegin(question, at: now, &actions)
        case .confirmTrafficIncrease:
            follow(question, at: now, &actions)
            return mayIncrease(at: now)
        case .rollout, .confirmPromotion, .rollback, .verdict:
            follow(question, at: now, &actions)
            let standing = standing(at: now)
            let subject = release.map { "release \($0.name)" } ?? "verdict \(name)"
            let reasons = standing.reasons.isEmpty ? "" : ": " + standing.reasons.joined(separator: "; ")
            guard question.sense == .rollback else {
                return (standing.verdict == .healthy, "\(subject) is \(standing.verdict.rawValue)\(reasons)")
            }
            if standing.verdict == .violated { return (true, "roll back \(subject)\(reasons)") }
            return (false, "no rollback: \(subject) is \(standing.verdict.rawValue)\(reasons)")
        }
    }

    // MARK: Beginning

    /// Whether a release may begin, or get its first traffic. The candidate has not been measured, so only what
    /// happened before and the rules themselves can speak against it.
    private mutating func mayBegin(
        _ question: VerdictQuestion, at now: Instant, _ actions: inout [Action]
    ) -> (Bool, String) {
        guard let name = question.release else { return (false, "the question names no release") }
        let isRunning = release?.name == name && release?.runningSince != nil
        if isRunning, question.sense == .preRollout {
            // Asked only while the candidate has no traffic.
            release?.trafficSince = nil
            release?.increasedAt = nil
        }
        let trips = isRunning ? release?.trips.map(\.description) ?? [] : []
        let reasons = trips.isEmpty ? obstacles(at: now) : trips
        guard reasons.isEmpty else {
            if release?.name != name || release?.isOver == true {
                actions += supersede(by: name, at: now)
                release = VerdictRelease(name: name, state: .waiting)
            }
            return (false, "release \(name) may not begin: \(reasons.joined(separator: "; "))")
        }
        if !isRunning { actions += begin(name, by: question.by, at: now) }
        return (true, "release \(name) may begin, watched by \(Self.count(sortedWatches.count, "rule"))")
    }

    /// The first increase gives the candidate its first traffic. Every other needs a measurement of every rule since
    /// the one before.
    private mutating func mayIncrease(at now: Instant) -> (Bool, String) {
        guard let release, let since = release.runningSince else {
            return (false, "no more traffic: no release is under way")
        }
        let isFirst = release.trafficSince == nil
        let reasons =
            !release.trips.isEmpty
            ? release.trips.map(\.description)
            : isFirst ? obstacles(at: now) : lacks(from: release.increasedAt ?? since, at: now)
        guard reasons.isEmpty else {
            return (false, "no more traffic for release \(release.name): \(reasons.joined(separator: "; "))")
        }
        self.release?.trafficSince = release.trafficSince ?? now
        self.release?.increasedAt = now
        return (
            true, "release \(release.name) \(isFirst ? "may get its first traffic" : "is healthy")"
        )
    }

    /// Begins the release that the question names, if it is not the one under way.
    private mutating func follow(_ question: VerdictQuestion, at now: Instant, _ actions: inout [Action]) {
        guard let name = question.release else { return }
        switch release?.state {
        case .running where release?.name == name: return
        // It was refused, and nothing shows that it has begun.
        case .waiting where release?.name == name && question.sense == .rollback: return
        case .running, .waiting, .over, nil:
            actions += begin(name, by: question.by, isFirst: question.sense.isBeginning, at: now)
        }
    }

    /// - Parameter isFirst: whether the question may be the first of a release. Otherwise another process may have
    ///   answered before, and nobody knows whether what tripped is of this release.
    private mutating func begin(_ name: String, by asker: String, isFirst: Bool = true, at now: Instant) -> [Action] {
        let isTakeOver = release == nil && !isFirst
        var actions = supersede(by: name, at: now)
        release = VerdictRelease(name: name, state: .running(since: now))
        for (key, before) in rules.sorted(by: { $0.key < $1.key }) {
            var rule = before
            if isTakeOver {
                rule.reconsidered()
            } else {
                rearm(&rule, key, at: now)
                for (labels, track) in rule.tracks where track.state == .armed { rule.rearmed(labels) }
            }
            rules[key] = rule
            actions += alerts(from: before, to: rule)
        }
        actions.append(
            record("began", [.init("release", .string(name)), .init("by", .string(asker))], at: now))
        return actions
    }

    // MARK: Ending

    /// The controller says that the release has ended, if it does.
    private mutating func ended(_ question: VerdictQuestion, at now: Instant) -> [Action] {
        guard let outcome = question.outcome, let release, !release.isOver else { return [] }
        if let name = question.release, name != release.name { return [] }
        // Events of a controller may still have the phase of before.
        if question.sense == .event, release.runningSince == nil { return [] }
        return end(outcome, by: question.by, at: now)
    }

    private mutating func supersede(by name: String, at now: Instant) -> [Action] {
        guard let release, !release.isOver, release.name != name else { return [] }
        return end("superseded by \(name)", by: nil, at: now)
    }

    private mutating func end(_ outcome: String, by asker: String?, at now: Instant) -> [Action] {
        guard let former = release, !former.isOver else { return [] }
        let verdict = standing(at: now).verdict
        release?.state = .over(at: now, outcome: outcome)
        var members: [JSON.Member] = [
            .init("release", .string(former.name)), .init("outcome", .string(outcome)),
            .init("answer", .string(verdict.rawValue)),
        ]
        if let asker { members.append(.init("by", .string(asker))) }
        return [record("ended", members, at: now, incident: former.trips.first?.incident), .keep]
    }

    private static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}

extension VerdictRelease {
    /// Whether it has ended.
    var isOver: Bool {
        if case .over = state { true } else { false }
    }
}
