internal import JSON
internal import MetricModel
internal import RuleModel

/// Entries for the record, and alerts for the receivers.
extension VerdictMachine {
    func record(_ state: String, _ more: [JSON.Member], at now: Instant, incident: String? = nil) -> Action {
        .record(
            RollbackEvent(
                at: now, kind: .verdict, subject: name,
                body: .object([.init("state", .string(state)), .init("verdict", .string(name))] + more),
                incident: incident))
    }

    /// The record of an answer that differs from the last one to the same kind of question; `nil` for the same.
    mutating func answered(
        _ question: VerdictQuestion, _ isYes: Bool, _ text: String, _ standing: VerdictStanding, at now: Instant
    ) -> Action? {
        guard let release, !release.isOver || question.sense == .verdict else { return nil }
        switch question.sense {
        case .postRollout, .event: return nil
        case .confirmRollout, .preRollout, .rollout, .confirmTrafficIncrease, .confirmPromotion, .rollback, .verdict:
            break
        }
        let answer = "\(isYes ? "yes" : "no") \(standing.verdict.rawValue)"
        guard release.answers[question.sense.rawValue] != answer else { return nil }
        self.release?.answers[question.sense.rawValue] = answer
        return record(
            "answered",
            [
                .init("release", .string(release.name)), .init("question", .string(question.sense.rawValue)),
                .init("accepted", .bool(isYes)), .init("answer", .string(standing.verdict.rawValue)),
                .init("text", .string(text)), .init("reasons", .array(standing.reasons.map(JSON.string))),
                .init("rules", .array(standing.rules.map(\.json))), .init("by", .string(question.by)),
            ], at: now, incident: release.trips.first?.incident)
    }

    /// The record of an outcome of a measurement; `nil` for one that needs none.
    func recorded(
        _ action: RollbackRule.Action, _ measurement: RollbackMeasurement, at now: Instant
    ) -> Action? {
        func event(
            _ kind: RollbackEvent.Kind, _ labels: Labels, _ more: [JSON.Member], incident: String? = nil
        ) -> Action {
            let since = rules[measurement.rule]?.tracks[labels]?.violatedSince
            let common: [JSON.Member] = [
                .init("verdict", .string(name)), .init("release", release.map { .string($0.name) } ?? .null),
                .init("rule", .string(measurement.rule)), .init("rule_hash", .string(measurement.ruleHash)),
                .init("labels", .string(labels.description)),
                .init("condition", .string(measurement.definition.trip.description)),
                .init("mode", .string(measurement.definition.mode.rawValue)),
            ]
            var event = RollbackEvent(
                at: now, kind: kind, subject: kind == .verdict ? name : measurement.rule,
                body: .object(common + more + (labels["service"].map { [.init("service", .string($0))] } ?? [])),
                incident: incident ?? since.map { Trip.incident(of: measurement.rule, labels, since: $0) })
            event.isOfEveryNode = true
            return .record(event)
        }
        switch action {
        case .violated(let labels, let sample, let streak):
            return event(
                .violation, labels,
                [
                    .init("value", .string(FloatText.general(sample.value))),
                    .init("streak", .integer(Int64(streak))),
                ])
        case .tripped(let trip):
            return event(
                .verdict, trip.labels,
                [
                    .init("state", "tripped"), .init("expr", .string(trip.expression)),
                    .init("samples", .array(trip.samples.map(\.json))),
                ], incident: trip.incident)
        case .cleared(let labels, _): return event(.verdict, labels, [.init("state", "cleared")])
        case .missing, .frozen, .returned, .overflowed: return nil
        }
    }

    // MARK: Receivers

    /// The alerts that begin and end when a rule changes from `before` to `after`; of a rule in mode shadow none begin.
    func alerts(from before: RollbackRule?, to after: RollbackRule?) -> [Action] {
        func tripped(_ rule: RollbackRule?) -> [Labels: RollbackRule.Track] {
            guard let rule, rule.definition.mode == .enforce else { return [:] }
            return rule.tracks.filter { $0.value.state != .armed }
        }
        let (old, new) = (tripped(before), tripped(after))
        var actions: [Action] = []
        for labels in Set(old.keys).union(new.keys).sorted() {
            if let after, let track = new[labels], old[labels]?.trippedAt != track.trippedAt {
                actions.append(.notify(alert(after, labels, track, isOver: false)))
            } else if let before, let track = old[labels], new[labels] == nil {
                actions.append(.notify(alert(before, labels, track, isOver: true)))
            }
        }
        return actions
    }

    private func alert(
        _ rule: RollbackRule, _ labels: Labels, _ track: RollbackRule.Track, isOver: Bool
    ) -> VerdictAlert {
        let (definition, value) = (rule.definition, track.samples.last?.value ?? .nan)
        let place = labels.isEmpty ? "" : " for \(labels)"
        let release = release.map { ", release \($0.name)" } ?? ""
        let measured = value.isNaN ? "no data" : "\(FloatText.general(value)) \(definition.trip)"
        return VerdictAlert(
            verdict: name, rule: definition.name, kind: .tripped, labels: definition.labels.setting(labels),
            annotations: track.annotations, severity: definition.severity,
            text: isOver
                ? "verdict \(name): \(definition.name) is no longer tripped\(place)"
                : "verdict \(name)\(release): \(definition.name) tripped\(place): \(measured)",
            value: value, expression: definition.expression, startsAt: track.trippedAt ?? .init(milliseconds: 0),
            isOver: isOver)
    }

    /// The alert about missing data, or its end.
    func alert(ofData action: RollbackRule.Action, _ measurement: RollbackMeasurement) -> VerdictAlert? {
        let definition = measurement.definition
        func alert(_ labels: Labels, _ text: String, at: Timestamp, isOver: Bool = false) -> VerdictAlert {
            VerdictAlert(
                verdict: name, rule: definition.name, kind: .withoutData, labels: definition.labels.setting(labels),
                annotations: .empty, severity: definition.severity,
                text: "verdict \(name), rule \(definition.name): \(text)", value: .nan,
                expression: definition.expression, startsAt: at, isOver: isOver)
        }
        switch action {
        case .missing(let labels, let since):
            return alert(
                labels, "no data of \(labels) since \(RFC3339.text(milliseconds: since.milliseconds))", at: since)
        case .overflowed(let limit):
            return alert(.empty, "more than \(limit) elements: the others are not tracked", at: measurement.time)
        case .returned(let labels, let at, true):
            return alert(labels, "data of \(labels) are no longer missing", at: at, isOver: true)
        case .violated, .tripped, .cleared, .frozen, .returned: return nil
        }
    }
}

extension RollbackRule.Track {
    /// When it tripped; `nil` if it has not.
    fileprivate var trippedAt: Timestamp? {
        if case .tripped(let at, _) = state { at } else { nil }
    }
}

extension EvidenceSample {
    fileprivate var json: JSON {
        [
            "time": .string(RFC3339.text(milliseconds: time.milliseconds)),
            "value": .string(FloatText.general(value)),
        ]
    }
}
