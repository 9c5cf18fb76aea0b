internal import MetricModel
internal import Rollback

/// Coordinates improvements of several services. A machine: it is given the time and events, and returns actions.
///
/// A cycle takes a survey of the services, queues what should be improved, and executes the queue by dependency level:
/// a service before those that depend on it, all of a level at once. It stops if too few of a level succeed, and waits
/// between levels, so that the next one is measured on services that have settled.
struct ImprovementOrchestrator: Equatable {
    enum State: Equatable {
        /// To: `surveying`.
        case waiting(until: Timestamp)
        /// To: `executing`, `waiting`.
        case surveying
        /// Improvements of one level are in progress. To: `stabilizing`, `waiting`.
        case executing(level: Int)
        /// To: `executing`.
        case stabilizing(until: Timestamp)
    }

    /// A queued improvement. A lower level is executed first.
    struct Item: Equatable {
        var recommendation: Recommendation
        var level: Int
        /// Why it is not executed in this cycle; empty if it is.
        var deferral = ""
    }

    /// An improvement in progress.
    struct Running: Equatable {
        var recommendation: Recommendation
        var since: Timestamp
    }

    enum Action: Equatable {
        case survey
        /// Hand it to the executor. The result is `submitted` or `refused`.
        case submit(Recommendation)
        /// It took too long: it is recorded as failed.
        case abandon(id: String)
        case finish(Outcome)
    }

    /// The result of a cycle.
    enum Outcome: Equatable {
        /// Every level was executed, or there was nothing to do.
        case done(succeeded: Int, failed: Int, deferred: Int)
        /// Too few of a level succeeded; the rest of the queue was not executed.
        case paused(level: Int, ratio: Double)
        /// The services could not be surveyed.
        case failed(String)
    }

    /// The result of a survey.
    struct Situation: Equatable {
        /// Improvements in progress that this machine did not start, or that it started before a restart, by key.
        var active: [String] = []
        /// Services with a rollout in progress: a change at the same time would be measured as part of it.
        var changing: Set<String> = []
    }

    /// The longest queue. More urgent recommendations replace others.
    static let queueLimit = 200

    private(set) var configuration: OrchestrationConfiguration
    private(set) var state: State
    private(set) var queue: [Item] = []
    private(set) var running: [String: Running] = [:]
    /// When each service was last improved.
    private(set) var improvedAt: [String: Timestamp] = [:]
    private(set) var lastOutcome: Outcome?
    private var submitting = 0
    private var ended = (succeeded: 0, failed: 0)
    private var totals = (succeeded: 0, failed: 0)

    static func == (left: ImprovementOrchestrator, right: ImprovementOrchestrator) -> Bool {
        left.configuration == right.configuration && left.state == right.state && left.queue == right.queue
            && left.running == right.running && left.improvedAt == right.improvedAt
            && left.lastOutcome == right.lastOutcome && left.submitting == right.submitting
            && left.ended == right.ended && left.totals == right.totals
    }

    init(_ configuration: OrchestrationConfiguration, at now: Timestamp) {
        self.configuration = configuration
        state = .waiting(until: now + configuration.interval)
    }

    /// The time of the next `ticked`; `nil` while it waits for something else.
    var deadline: Timestamp? {
        guard configuration.isEnabled else { return nil }
        switch state {
        case .waiting(let until), .stabilizing(let until): return until
        case .surveying: return nil
        case .executing: return running.values.map { $0.since + configuration.timeout }.min()
        }
    }

    /// A reload. A cycle in progress ends with the new settings.
    mutating func reloaded(_ configuration: OrchestrationConfiguration, at now: Timestamp) {
        self.configuration = configuration
        if case .waiting(let until) = state { state = .waiting(until: min(until, now + configuration.interval)) }
    }

    mutating func ticked(at now: Timestamp) -> [Action] {
        guard configuration.isEnabled else { return [] }
        switch state {
        case .waiting(let until):
            guard now >= until else { return [] }
            state = .surveying
            return [.survey]
        case .surveying: return []
        case .executing:
            let late = running.filter { now >= $0.value.since + configuration.timeout }.keys.sorted()
            return late.flatMap { [.abandon(id: $0)] + finished($0, succeeded: false, at: now) }
        case .stabilizing(let until): return now >= until ? nextLevel(at: now) : []
        }
    }

    mutating func surveyFailed(_ reason: String, at now: Timestamp) -> [Action] {
        guard state == .surveying else { return [] }
        return end(.failed(reason), pause: configuration.errorInterval, at: now)
    }

    /// - Parameter level: the dependency level of a service; 0 has no dependencies.
    mutating func surveyed(
        _ found: [Recommendation], _ situation: Situation, level: (String) -> Int, at now: Timestamp
    ) -> [Action] {
        guard state == .surveying else { return [] }
        totals = (0, 0)
        var counts: [String: Int] = [:]
        for key in situation.active { counts[Self.service(of: key), default: 0] += 1 }
        // A bottleneck that is no longer found has improved by itself, so the queue is rebuilt.
        queue = found.prefix(Self.queueLimit).map { recommendation in
            var item = Item(recommendation: recommendation, level: level(recommendation.service))
            item.deferral = reason(to: recommendation, situation, counts, at: now)
            if item.deferral.isEmpty { counts[recommendation.service, default: 0] += 1 }
            return item
        }
        return nextLevel(at: now)
    }

    /// Why `recommendation` has to wait for another cycle; empty if it does not.
    private func reason(
        to recommendation: Recommendation, _ situation: Situation, _ counts: [String: Int], at now: Timestamp
    ) -> String {
        let service = configuration.service(recommendation.service)
        if situation.active.contains(recommendation.key) { return "already in progress" }
        if situation.changing.contains(service.name) { return "a rollout of \(service.name) is in progress" }
        if counts[service.name] ?? 0 >= service.maximumConcurrent {
            return "\(service.name) has \(service.maximumConcurrent) at once at most"
        }
        switch service.frequency {
        case .continuous: return ""
        case .triggered: return recommendation.severity >= .high ? "" : "\(service.name) is improved when triggered"
        case .scheduled:
            guard let last = improvedAt[service.name], now < last + configuration.schedule else { return "" }
            return "\(service.name) is improved once in \(configuration.schedule)"
        }
    }

    private static func service(of key: String) -> String { String(key.prefix { $0 != "\u{0}" }) }

    private mutating func nextLevel(at now: Timestamp) -> [Action] {
        let ready = queue.filter(\.deferral.isEmpty)
        guard let level = ready.map(\.level).min() else {
            let (succeeded, failed) = totals
            return end(
                .done(succeeded: succeeded, failed: failed, deferred: queue.count), pause: configuration.interval,
                at: now)
        }
        let chosen = ready.filter { $0.level == level }
        queue.removeAll { $0.deferral.isEmpty && $0.level == level }
        state = .executing(level: level)
        ended = (0, 0)
        submitting = chosen.count
        return chosen.map { .submit($0.recommendation) }
    }

    /// The executor has, or will get, the improvement.
    mutating func submitted(_ recommendation: Recommendation, id: String, at now: Timestamp) -> [Action] {
        guard case .executing = state, submitting > 0 else { return [] }
        submitting -= 1
        running[id] = Running(recommendation: recommendation, since: now)
        improvedAt[recommendation.service] = now
        return []
    }

    /// The improvement could not be requested. It counts as failed.
    mutating func refused(_ recommendation: Recommendation, at now: Timestamp) -> [Action] {
        guard case .executing = state, submitting > 0 else { return [] }
        submitting -= 1
        ended.failed += 1
        return levelEnded(at: now)
    }

    /// An improvement reached its end. Others than those of this cycle are ignored.
    mutating func finished(_ id: String, succeeded: Bool, at now: Timestamp) -> [Action] {
        guard running.removeValue(forKey: id) != nil else { return [] }
        if succeeded { ended.succeeded += 1 } else { ended.failed += 1 }
        return levelEnded(at: now)
    }

    private mutating func levelEnded(at now: Timestamp) -> [Action] {
        guard case .executing(let level) = state, running.isEmpty, submitting == 0 else { return [] }
        totals = (totals.succeeded + ended.succeeded, totals.failed + ended.failed)
        let ratio = Double(ended.succeeded) / Double(ended.succeeded + ended.failed)
        guard ratio >= configuration.successRatio else {
            return end(.paused(level: level, ratio: ratio), pause: configuration.interval, at: now)
        }
        guard queue.contains(where: \.deferral.isEmpty) else { return nextLevel(at: now) }
        state = .stabilizing(until: now + configuration.stabilization)
        return []
    }

    private mutating func end(_ outcome: Outcome, pause: Milliseconds, at now: Timestamp) -> [Action] {
        lastOutcome = outcome
        state = .waiting(until: now + pause)
        return [.finish(outcome)]
    }
}
