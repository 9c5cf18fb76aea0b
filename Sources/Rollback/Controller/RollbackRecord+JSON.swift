internal import JSON
internal import MetricModel
internal import RuleModel

extension RollbackRecord {
    var json: JSON {
        [
            "id": .string(id), "generation": .integer(Int64(clamping: generation)), "number": .integer(Int64(number)),
            "causes": .array(causes.map(\.json)), "services": .array(services.map(JSON.string)),
            "step": .integer(Int64(step.rawValue)),
            "validating_since": validatingSince.map { .integer($0.nanoseconds) } ?? .null,
            "verdict": verdict.map {
                ["valid": .bool($0.isValid), "detail": .string($0.detail), "stored": .bool($0.isOnlyStored)]
            } ?? .null,
            "beside_stable": .bool(isBesideStable), "doubted": .bool(isDoubted),
            "timeline": .array(timeline.map(\.json)),
        ]
    }

    init?(_ json: JSON) {
        guard let id = json["id"]?.text, let generation = json["generation"]?.integer.flatMap(UInt64.init(exactly:)),
            let number = json["number"]?.integer, let causes = json["causes"]?.elements,
            let services = json["services"]?.elements,
            let step = json["step"]?.integer.flatMap({ Step(rawValue: Int($0)) }),
            let timeline = json["timeline"]?.elements
        else { return nil }
        self.init(
            id: id, generation: generation, number: Int(number), causes: causes.compactMap(Cause.init),
            services: services.compactMap(\.text), step: step)
        guard self.causes.count == causes.count, self.services.count == services.count else { return nil }
        self.timeline = timeline.compactMap(Entry.init)
        // Records of earlier versions do not have them.
        isBesideStable = json["beside_stable"]?.bool ?? false
        isDoubted = json["doubted"]?.bool ?? false
        validatingSince = json["validating_since"]?.integer.map { Instant(nanoseconds: $0) }
        if let isValid = json["verdict"]?["valid"]?.bool, let detail = json["verdict"]?["detail"]?.text {
            let isOnlyStored = json["verdict"]?["stored"]?.bool ?? false
            verdict = Verdict(isValid: isValid, detail: detail, isOnlyStored: isOnlyStored)
        }
    }

    /// Joins the entries about this rollback in the record: the incident of its first trip, or its own id.
    public var incident: String {
        causes.lazy.compactMap { cause in if case .trip(let trip) = cause { trip.incident } else { nil } }.first ?? id
    }

    /// The worst severity of the causes.
    public var severity: String {
        let known = ["warning", "high", "critical"]
        let all = causes.map { cause in if case .trip(let trip) = cause { trip.severity } else { "warning" } }
        return all.max { (known.firstIndex(of: $0) ?? 0) < (known.firstIndex(of: $1) ?? 0) } ?? "warning"
    }
}

extension RollbackRecord.Entry {
    var json: JSON {
        [
            "at": .integer(at.nanoseconds), "step": .string(step), "service": service.map(JSON.string) ?? .null,
            "detail": .string(detail),
        ]
    }

    fileprivate init?(_ json: JSON) {
        guard let at = json["at"]?.integer, let step = json["step"]?.text, let detail = json["detail"]?.text else {
            return nil
        }
        self.init(at: Instant(nanoseconds: at), step: step, service: json["service"]?.text, detail: detail)
    }
}

extension RollbackRecord.Cause {
    /// A text of one line.
    public var summary: String {
        switch self {
        case .trip(let trip):
            let values = trip.samples.map { FloatText.general($0.value) }.joined(separator: ", ")
            let element = trip.labels.isEmpty ? "" : " \(trip.labels)"
            return "\(trip.name)\(element): \(values) \(trip.condition)"
        case .command(let by, let reason): return "ordered by \(by)" + (reason.isEmpty ? "" : ": \(reason)")
        case .promotion(let service, let reason): return "\(service) could not be promoted: \(reason)"
        }
    }

    var json: JSON {
        switch self {
        case .trip(let trip): ["trip": trip.json]
        case .command(let by, let reason): ["command": ["by": .string(by), "reason": .string(reason)]]
        case .promotion(let service, let reason):
            ["promotion": ["service": .string(service), "reason": .string(reason)]]
        }
    }

    fileprivate init?(_ json: JSON) {
        if let trip = json["trip"].flatMap(Trip.init) {
            self = .trip(trip)
        } else if let by = json["command"]?["by"]?.text, let reason = json["command"]?["reason"]?.text {
            self = .command(by: by, reason: reason)
        } else if let service = json["promotion"]?["service"]?.text, let reason = json["promotion"]?["reason"]?.text {
            self = .promotion(service: service, reason: reason)
        } else {
            return nil
        }
    }
}

extension Trip {
    var json: JSON {
        [
            "rule": .string(rule), "name": .string(name), "rule_hash": .string(ruleHash),
            "incident": .string(incident),
            "severity": .string(severity), "expr": .string(expression),
            "comparison": .string(condition.comparison.rawValue),
            // Numbers that JSON cannot represent (an infinite threshold, a missing sample) are written as text.
            "threshold": .string(FloatText.general(condition.threshold)),
            "labels": .object(labels.pairs.map { JSON.Member($0.name, .string($0.value)) }),
            "samples": .array(
                samples.map {
                    ["time": .integer($0.time.milliseconds), "value": .string(FloatText.general($0.value))]
                }),
            "service": service.map(JSON.string) ?? .null, "scope": .string(scope.rawValue),
            "mode": .string(mode.rawValue), "cooldown": .integer(cooldown.rawValue),
            "time": .integer(time.milliseconds), "cause": .integer(causeNanoseconds),
            "sampled_at": sampledAt.map { .integer($0.milliseconds) } ?? .null,
            "reduce_to": reduceTo.map { .integer(Int64($0)) } ?? .null,
            "rule_labels": .object(ruleLabels.pairs.map { JSON.Member($0.name, .string($0.value)) }),
            "annotations": .object(annotations.pairs.map { JSON.Member($0.name, .string($0.value)) }),
        ]
    }

    fileprivate init?(_ json: JSON) {
        guard let rule = json["rule"]?.text, let name = json["name"]?.text, let hash = json["rule_hash"]?.text,
            let severity = json["severity"]?.text, let expression = json["expr"]?.text,
            let comparison = json["comparison"]?.text.flatMap(RollbackDefinition.Condition.Comparison.init),
            let threshold = json["threshold"]?.text.flatMap(Double.init), let labels = json["labels"]?.members,
            let samples = json["samples"]?.elements,
            let scope = json["scope"]?.text.flatMap(RollbackDefinition.Action.Scope.init),
            let mode = json["mode"]?.text.flatMap(RollbackDefinition.Mode.init),
            let cooldown = json["cooldown"]?.integer, let time = json["time"]?.integer,
            let cause = json["cause"]?.integer
        else { return nil }
        self.rule = rule
        self.name = name
        ruleHash = hash
        self.severity = severity
        self.expression = expression
        condition = RollbackDefinition.Condition(comparison, threshold)
        self.labels = Labels(labels.map { Label($0.name, $0.value.text ?? "") })
        self.samples = samples.compactMap { sample in
            guard let time = sample["time"]?.integer, let value = sample["value"]?.text.flatMap(Double.init) else {
                return nil
            }
            return EvidenceSample(time: Timestamp(milliseconds: time), value: value)
        }
        let since = self.samples.first?.time ?? Timestamp(milliseconds: time)
        // Journals of earlier versions do not have it.
        incident = json["incident"]?.text ?? Self.incident(of: rule, self.labels, since: since)
        service = json["service"]?.text
        self.scope = scope
        self.mode = mode
        self.cooldown = Milliseconds(rawValue: cooldown)
        self.time = Timestamp(milliseconds: time)
        causeNanoseconds = cause
        // Records of earlier versions do not have these.
        sampledAt = json["sampled_at"]?.integer.map { Timestamp(milliseconds: $0) }
        reduceTo = json["reduce_to"]?.integer.flatMap(Int.init(exactly:))
        ruleLabels = Labels((json["rule_labels"]?.members ?? []).map { Label($0.name, $0.value.text ?? "") })
        annotations = Labels((json["annotations"]?.members ?? []).map { Label($0.name, $0.value.text ?? "") })
    }
}
