public import JSON
internal import MetricModel
internal import Rollback
internal import Runtime
internal import Synchronization

/// The bottlenecks, worst first. A pure function of the query results.
///
/// The score of an entry is its pressure (the used part of the allowed range: 1 at the threshold, at most 10), times
/// the weight of the query, times one plus the share of all other services that depend on it, directly or indirectly.
/// An entry without a measurement is unknown and has no score.
struct BottleneckSurvey: Equatable {
    struct Entry: Equatable {
        var kind: BottleneckQueries.Kind
        var name: String
        /// The service, instance or `caller → dependency` that is measured.
        var subject: String
        /// `nil` if unknown.
        var value: Double?
        var threshold: Double
        var better: MetricCriteria.Direction
        var pressure: Double?
        var score: Double?
        /// Services that depend on it.
        var dependents: [String]
        /// The service that a caller waits for; only for dependencies.
        var dependency: String?
        /// The query, and the reason if there is no value.
        var evidence: JSON

        /// The status as one word.
        var status: String {
            guard let pressure else { return "unknown" }
            return isBottleneck ? "bottleneck" : pressure >= 0.8 ? "near" : "ok"
        }
    }

    private(set) var entries: [Entry] = []

    /// Runs the queries and ranks the results. Blocks while the queries run.
    init(_ queries: BottleneckQueries, services: ServiceGraph, data: GateData) {
        for query in queries.queries { add(query, services, data.evaluate(query.expression)) }
        addDependencies(queries, services, data.evaluate(queries.latency))
        // Entries with equal scores are sorted by name, so that the order is stable.
        entries.sort { left, right in
            (right.score ?? -1, left.kind.rawValue, left.name, left.subject)
                < (left.score ?? -1, right.kind.rawValue, right.name, right.subject)
        }
    }

    private mutating func add(
        _ query: BottleneckQueries.Query, _ services: ServiceGraph,
        _ answer: Result<[GateData.Element], GateData.Fault>
    ) {
        // The reason for an error is in the entries that it makes unknown.
        let found = (try? answer.get()) ?? []
        var values: [(subject: String, value: Double, labels: Labels)] = []
        for element in found where !element.value.isNaN {
            values.append((element.labels[query.label] ?? "\(element.labels)", element.value, element.labels))
        }
        for (subject, value, labels) in values {
            let pressure = query.pressure(of: value, service: subject)
            let dependents = services.dependents(of: subject)
            entries.append(
                Entry(
                    kind: query.kind, name: query.name, subject: subject, value: value,
                    threshold: query.thresholds[subject] ?? query.threshold, better: query.better, pressure: pressure,
                    score: pressure * query.weight * (1 + services.share(dependents)), dependents: dependents,
                    evidence: ["expr": .string(query.expression), "labels": .object(labels.jsonMembers)]))
        }
        let seen = Set(values.map(\.subject))
        var missing = query.label == "service" ? services.names.filter { !seen.contains($0) } : []
        if values.isEmpty, missing.isEmpty { missing = [""] }
        var reason = "no data"
        if case .failure(let fault) = answer { reason = fault.description }
        for subject in missing {
            entries.append(
                unknown(
                    query.kind, query.name, subject, query.thresholds[subject] ?? query.threshold, query.better,
                    services,
                    ["expr": .string(query.expression), "reason": .string(reason)]))
        }
    }

    private mutating func addDependencies(
        _ queries: BottleneckQueries, _ services: ServiceGraph, _ answer: Result<[GateData.Element], GateData.Fault>
    ) {
        var means: [String: Double] = [:]
        var fault: GateData.Fault?
        switch answer {
        case .success(let elements):
            for element in elements where element.value.isFinite {
                if let service = element.labels["service"] { means[service] = element.value }
            }
        case .failure(let failure): fault = failure
        }
        for (caller, dependency) in services.calls {
            let subject = "\(caller) → \(dependency)"
            var evidence: [JSON.Member] = [.init("expr", .string(queries.latency))]
            guard let own = means[caller], let other = means[dependency], own > 0 else {
                let absent = [caller, dependency].filter { means[$0] == nil }.joined(separator: ", ")
                let reason = fault?.description ?? "no latency of \(absent.isEmpty ? caller : absent)"
                evidence.append(.init("reason", .string(reason)))
                entries.append(
                    unknown(
                        .dependency, "latency_share", subject, queries.dependencyShare, .lower, services,
                        .object(evidence)))
                continue
            }
            evidence += [
                .init("caller_seconds", .number(own)), .init("dependency_seconds", .number(other)),
            ]
            // A caller that does not wait for its dependency may be faster than it.
            let share = min(1, other / own)
            // Services of equal speed would all look like bottlenecks of each other: a share alone says nothing about a
            // caller that is fast enough.
            let slowness = entries.first { $0.name == queries.callerLatency && $0.subject == caller }?.pressure
            guard let slowness else {
                evidence.append(.init("reason", .string("no \(queries.callerLatency) of \(caller)")))
                entries.append(
                    unknown(
                        .dependency, "latency_share", subject, queries.dependencyShare, .lower, services,
                        .object(evidence)))
                continue
            }
            evidence.append(.init("caller_pressure", .number(slowness)))
            let pressure = slowness * min(1, share / queries.dependencyShare)
            let dependents = services.dependents(of: dependency)
            entries.append(
                Entry(
                    kind: .dependency, name: "latency_share", subject: subject, value: share,
                    threshold: queries.dependencyShare, better: .lower, pressure: pressure,
                    score: pressure * (1 + services.share(dependents)), dependents: dependents,
                    dependency: dependency, evidence: .object(evidence)))
        }
    }

    private func unknown(
        _ kind: BottleneckQueries.Kind, _ name: String, _ subject: String, _ threshold: Double,
        _ better: MetricCriteria.Direction, _ services: ServiceGraph, _ evidence: JSON
    ) -> Entry {
        Entry(
            kind: kind, name: name, subject: subject, value: nil, threshold: threshold, better: better, pressure: nil,
            score: nil, dependents: services.dependents(of: subject), evidence: evidence)
    }

    func json(at now: Timestamp) -> JSON {
        [
            "time": .string(RFC3339.text(milliseconds: now.milliseconds)),
            "bottlenecks": .array(
                entries.map { entry in
                    [
                        "kind": .string(entry.kind.rawValue), "name": .string(entry.name),
                        "subject": .string(entry.subject), "status": .string(entry.status),
                        "severity": entry.isBottleneck ? .string(entry.severity?.rawValue ?? "") : .null,
                        "score": Self.number(entry.score), "pressure": Self.number(entry.pressure),
                        "value": Self.number(entry.value), "threshold": .number(entry.threshold),
                        "better": .string(entry.better.rawValue),
                        "dependents": .array(entry.dependents.map(JSON.string)), "evidence": entry.evidence,
                    ]
                }),
        ]
    }

    private static func number(_ value: Double?) -> JSON {
        guard let value else { return .null }
        return value.isFinite ? .number(value) : .string(FloatText.plain(value))
    }
}

/// The services and their dependencies, from the plans.
struct ServiceGraph: Equatable {
    /// Every service, in the order of the plans.
    private(set) var names: [String] = []
    private var depends: [String: [String]] = [:]

    init(_ plans: [RolloutPlan]) {
        for service in plans.flatMap(\.services) {
            if depends[service.name] == nil { names.append(service.name) }
            depends[service.name, default: []] += service.depends
        }
    }

    /// Every caller with each of its dependencies.
    var calls: [(caller: String, dependency: String)] {
        names.flatMap { name in (depends[name] ?? []).map { (name, $0) } }
    }

    /// Services that `name` depends on directly.
    func dependencies(of name: String) -> [String] { depends[name] ?? [] }

    /// The number of steps from `name` down its longest chain of dependencies; 0 for a service without any.
    func level(of name: String) -> Int {
        var levels: [String: Int] = [:]
        // Plans have no cycles, so every round settles at least one more service.
        for _ in names {
            for service in names {
                levels[service] = ((depends[service] ?? []).compactMap { levels[$0] }.max() ?? -1) + 1
            }
        }
        return levels[name] ?? 0
    }

    /// Services that depend on `name`, directly or indirectly.
    func dependents(of name: String) -> [String] {
        var found: Set = [name]
        var grew = true
        while grew {
            let more = names.filter { !found.contains($0) && (depends[$0] ?? []).contains { found.contains($0) } }
            grew = !more.isEmpty
            found.formUnion(more)
        }
        return names.filter { $0 != name && found.contains($0) }
    }

    /// The share of all other services that are `dependents`.
    func share(_ dependents: [String]) -> Double {
        names.count > 1 ? Double(dependents.count) / Double(names.count - 1) : 0
    }
}

extension GateRunner {
    /// The ranked bottlenecks as JSON. Blocks while about a dozen queries run.
    public func bottlenecks() -> JSON {
        let survey = BottleneckSurvey(
            configuration.withLock(\.bottlenecks), services: ServiceGraph(settings.rollouts.plans()),
            data: settings.data)
        return survey.json(at: settings.now())
    }
}
