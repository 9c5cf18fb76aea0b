package import JSON
internal import MetricModel
internal import RuleModel

extension RollbackRule {
    /// All tracks with their state, so that elements that disappear during a restart are still missed. `init?(_:)`
    /// reads it back to equal tracks.
    package var json: JSON {
        [
            "name": .string(definition.name), "expr": .string(definition.expression),
            "comparison": .string(definition.trip.comparison.rawValue),
            "threshold": .string(FloatText.general(definition.trip.threshold)),
            "plan": .string(definition.action.plan), "consecutive": .integer(Int64(definition.consecutive)),
            "mode": .string(definition.mode.rawValue), "verdict": definition.action.verdict.map(JSON.string) ?? .null,
            "tracks": .array(
                tracks.sorted { $0.key < $1.key }.map { labels, track in
                    [
                        "labels": .object(labels.pairs.map { JSON.Member($0.name, .string($0.value)) }),
                        "track": track.json,
                    ]
                }),
        ]
    }

    package init?(_ json: JSON) {
        guard let name = json["name"]?.text, let expression = json["expr"]?.text, let plan = json["plan"]?.text,
            let comparison = json["comparison"]?.text.flatMap(RollbackDefinition.Condition.Comparison.init),
            let threshold = json["threshold"]?.text.flatMap(Double.init)
        else { return nil }
        // The rest of the definition comes with the next measurement.
        self.init(
            RollbackDefinition(
                name: name, expression: expression, trip: .init(comparison, threshold),
                consecutive: json["consecutive"]?.integer.map { Int($0) } ?? 1,
                mode: json["mode"]?.text.flatMap(RollbackDefinition.Mode.init) ?? .enforce,
                action: json["verdict"]?.text.map(RollbackDefinition.Action.init(verdict:)) ?? .init(plan: plan)))
        for element in json["tracks"]?.elements ?? [] {
            guard let labels = element["labels"]?.members, let track = element["track"].flatMap(Track.init) else {
                continue
            }
            tracks[Labels(labels.map { Label($0.name, $0.value.text ?? "") })] = track
        }
    }
}

extension RollbackRule {
    /// Whether the next process has to know of what changed since `former`. Times and values of healthy elements change
    /// with each measurement, and it measures them again.
    func hasToBeKept(after former: RollbackRule) -> Bool {
        if definition != former.definition || tracks.count != former.tracks.count { return true }
        return tracks.contains { labels, track in
            guard let old = former.tracks[labels] else { return true }
            return track.state != old.state || track.streak != old.streak || track.samples != old.samples
                || track.missingSince != old.missingSince || track.announced != old.announced
                || (track.seenAt == nil) != (old.seenAt == nil)
        }
    }
}

extension RollbackRule.Track {
    fileprivate var json: JSON {
        let (trippedAt, clearSince): (Timestamp?, Timestamp?) =
            switch state {
            case .armed: (nil, nil)
            case .tripped(let at, let since): (at, since)
            }
        func time(_ time: Timestamp?) -> JSON { time.map { .integer($0.milliseconds) } ?? .null }
        return [
            "streak": .integer(Int64(streak)), "violated_since": time(violatedSince), "tripped_at": time(trippedAt),
            "clear_since": time(clearSince), "last_value": lastValue.map { .string(FloatText.general($0)) } ?? .null,
            "seen_at": time(seenAt), "counted_at": time(counted?.at), "counted_sample": time(counted?.sample),
            "missing_since": time(missingSince),
            "told": .array(announced.map(\.rawValue).sorted().map(JSON.string)),
            "annotations": .object(annotations.pairs.map { JSON.Member($0.name, .string($0.value)) }),
            "samples": .array(
                samples.map { ["time": time($0.time), "value": .string(FloatText.general($0.value))] }),
        ]
    }

    fileprivate init?(_ json: JSON) {
        guard let streak = json["streak"]?.integer, streak >= 0 else { return nil }
        func time(_ name: String) -> Timestamp? { json[name]?.integer.map(Timestamp.init(milliseconds:)) }
        self.init()
        self.streak = Int(streak)
        if let at = time("tripped_at") { state = .tripped(at: at, clearSince: time("clear_since")) }
        // Files of earlier versions do not have these.
        annotations = Labels((json["annotations"]?.members ?? []).map { Label($0.name, $0.value.text ?? "") })
        lastValue = json["last_value"]?.text.flatMap(Double.init)
        seenAt = time("seen_at")
        if let at = time("counted_at"), let sample = time("counted_sample") { counted = .init(at: at, sample: sample) }
        missingSince = time("missing_since")
        announced = Set((json["told"]?.elements ?? []).compactMap { $0.text.flatMap { .init(rawValue: $0) } })
        samples = (json["samples"]?.elements ?? []).compactMap { sample in
            guard let at = sample["time"]?.integer, let value = sample["value"]?.text.flatMap(Double.init) else {
                return nil
            }
            return EvidenceSample(time: Timestamp(milliseconds: at), value: value)
        }
        // Files of earlier versions do not have it.
        violatedSince = time("violated_since") ?? samples.first?.time
    }
}
