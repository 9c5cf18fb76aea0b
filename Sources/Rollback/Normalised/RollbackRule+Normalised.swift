internal import MetricModel
internal import RuleModel

extension RollbackRule {
    /// The same rule without what has no influence on what happens next, with times relative to now.
    ///
    /// Left out are the definition, which comes with each measurement, values, and the time of the last measurement: it
    /// must be true that each one has newer samples than the one before.
    ///
    /// - Parameters:
    ///   - awaitsData: whether rules wait some time for the first data of a candidate.
    ///   - since: when each service's traffic was first read that no rollout gave; `nil` if nothing can depend on it.
    package func normalised(awaitsData: Bool, unmanaged since: [Instant]?, _ scale: TimeScale) -> RollbackRule {
        var rule = self
        rule.definition = Self.blank
        for (labels, track) in tracks {
            rule.tracks[labels] = track.normalised(definition, awaitsData: awaitsData, unmanaged: since, scale)
        }
        return rule
    }

    private static let blank = RollbackDefinition(
        name: "", expression: "", trip: .init(.less, 0), action: .init(plan: ""))
}

extension RollbackRule.Track {
    fileprivate func normalised(
        _ definition: RollbackDefinition, awaitsData: Bool, unmanaged since: [Instant]?, _ scale: TimeScale
    ) -> Self {
        var track = self
        func steps(_ time: Timestamp, within span: Milliseconds? = nil) -> Timestamp {
            let instant = Instant(nanoseconds: time.milliseconds * 1_000_000)
            let place = span.map { scale.since(instant, within: $0) } ?? scale.since(instant)
            return Timestamp(milliseconds: place?.nanoseconds ?? 0)
        }
        if case .tripped(_, let clearSince) = state {
            let hold = definition.clear?.hold ?? .zero
            track.state = .tripped(
                at: Timestamp(milliseconds: 0), clearSince: clearSince.map { steps($0, within: hold) })
        }
        track.streak = min(streak, max(1, definition.consecutive))
        track.violatedSince = nil
        track.lastValue = nil
        track.annotations = .empty
        track.counted = nil
        track.seenAt = seenAt.map { awaitsData ? steps($0) : Timestamp(milliseconds: 0) }
        track.missingSince = missingSince.flatMap { time in
            definition.missing.after.map { steps(time, within: $0) }
        }
        // A trip compares its samples with the time at which unmanaged traffic was first read.
        track.samples =
            since.map { times in
                samples.map { sample in
                    let isNow = sample.time == scale.timestamp
                    let later = times.map { sample.time >= $0.timestamp ? 1 : 0 }
                    let code = later.reduce(isNow ? 1 : 0) { $0 * 2 + $1 }
                    return EvidenceSample(time: Timestamp(milliseconds: Int64(code)), value: 0)
                }
            } ?? []
        return track
    }
}
