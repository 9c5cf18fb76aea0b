public import MetricModel
public import RuleModel

/// A rule in force that judges for a verdict. A value.
public struct VerdictRule: Hashable, Sendable {
    /// `file;group;name` of the rule.
    public var key: String
    /// The rule.
    public var definition: RollbackDefinition
    /// How long after the first traffic of a candidate its first measurement may be missing.
    public var firstData: Milliseconds
    /// How old the newest sample may be while the rule is evaluated as it should be.
    public var maximumAge: Milliseconds

    /// A rule of a verdict.
    public init(
        key: String, definition: RollbackDefinition, firstData: Milliseconds, maximumAge: Milliseconds
    ) {
        self.key = key
        self.definition = definition
        self.firstData = firstData
        self.maximumAge = maximumAge
    }
}

/// The machine of one verdict: measurements of its rules and questions of another controller in, answers and actions
/// out. It moves no traffic.
///
/// - No data is not health: `healthy` needs a present measurement of every enforcing rule that looks back on nothing
///   but the release.
/// - A trip while a release is running makes it `violated` until its end, also if the rule clears: whoever asks in
///   intervals must not miss it.
/// - What was measured is lost with the process, so after a restart the verdict is `unknown` until it is measured
///   again. The release and its trips are not.
package struct VerdictMachine: Hashable, Sendable {
    /// A task for the runner.
    package enum Action: Hashable, Sendable {
        case record(RollbackEvent)
        case notify(VerdictAlert)
        /// A rule tripped. It only needs to be counted.
        case tripped
        /// Store ``VerdictMachine/json`` for the next process.
        case keep
    }

    /// The last evaluation of a rule.
    struct Evaluation: Hashable {
        /// When the machine learned of it.
        var at: Instant
        /// The evaluation time.
        var time: Timestamp
        /// Why it failed; `nil` if it did not.
        var failure: String?
        /// When the newest sample of an element was taken that counted; `nil` if none did.
        var sample: Instant?
    }

    /// The name of the verdict.
    package let name: String
    /// The release that was asked about last.
    package internal(set) var release: VerdictRelease?
    /// The rules that have been measured, by `file;group;name`.
    package internal(set) var rules: [String: RollbackRule]
    /// The rules in force, by `file;group;name`.
    private(set) var watches: [String: VerdictRule] = [:]
    /// The last evaluation of each rule, by `file;group;name`.
    var evaluations: [String: Evaluation] = [:]

    /// A machine that continues with a stored release and rules.
    package init(
        _ name: String, watches: [VerdictRule], release: VerdictRelease? = nil, rules: [String: RollbackRule] = [:]
    ) {
        self.name = name
        self.release = release
        self.rules = rules
        adopt(watches)
    }

    /// Sets the rules in force. The state of other rules is dropped; trips of the release stay.
    package mutating func rulesChanged(to watches: [VerdictRule]) -> [Action] {
        let before = rules
        adopt(watches)
        return before.sorted { $0.key < $1.key }.flatMap { alerts(from: $0.value, to: rules[$0.key]) } + [.keep]
    }

    private mutating func adopt(_ watches: [VerdictRule]) {
        self.watches = Dictionary(watches.map { ($0.key, $0) }) { first, _ in first }
        rules = rules.filter { self.watches[$0.key] != nil }
        // A stored rule does not have its whole definition.
        for watch in watches { rules[watch.key]?.adopt(watch.definition) }
        evaluations = evaluations.filter { self.watches[$0.key] != nil }
    }

    /// The alerts of a former process, again: they may not have been sent.
    package func recovered() -> [Action] {
        rules.sorted { $0.key < $1.key }.flatMap { alerts(from: nil, to: $0.value) }
    }

    /// A rule was evaluated.
    package mutating func measured(_ measurement: RollbackMeasurement, at now: Instant) -> [Action] {
        // A rule that a reload removed may have been under evaluation.
        guard let watch = watches[measurement.rule] else { return [] }
        let (before, formerRelease) = (rules[measurement.rule] ?? RollbackRule(measurement.definition), release)
        var rule = before
        if release?.runningSince != nil { rearm(&rule, measurement.rule, at: now) }
        let outcome = rule.measured(measurement, awaited: awaited(watch, at: now))
        if release?.runningSince == nil, measurement.failure == nil {
            // A release that is over left it: its candidate is gone, so nothing will clear it.
            rearm(&rule, measurement.rule, at: now) { $0 != measurement.time }
        }
        rules[measurement.rule] = rule
        evaluations[measurement.rule] = Evaluation(measurement, at: now)
        // Trips come first: whoever asks next must get them.
        var actions: [Action] = []
        for case .tripped(let trip) in outcome {
            actions.append(.tripped)
            count(trip, measurement.time)
        }
        actions += outcome.compactMap { recorded($0, measurement, at: now) }
        actions += alerts(from: before, to: rule)
        for action in outcome {
            if let alert = alert(ofData: action, measurement) { actions.append(.notify(alert)) }
        }
        if release != formerRelease || rule.hasToBeKept(after: before) { actions.append(.keep) }
        return actions
    }

    private mutating func count(_ trip: Trip, _ time: Timestamp) {
        guard trip.mode == .enforce, let since = release?.runningSince, time >= since.timestamp else { return }
        release?.add(
            VerdictRelease.Trip(
                key: trip.rule, rule: trip.name, labels: trip.labels, condition: trip.condition.description,
                value: trip.samples.last?.value ?? .nan, at: trip.time, incident: trip.incident))
    }

    /// The data that the rule must have by now: those of a release that has been running for long enough.
    private func awaited(_ watch: VerdictRule, at now: Instant) -> RollbackRule.Awaited {
        guard let since = release?.trafficSince ?? release?.runningSince, release?.runningSince != nil else {
            return RollbackRule.Awaited(services: []) { _, _ in false }
        }
        return RollbackRule.Awaited(services: []) { _, seen in
            now >= since + watch.firstData || seen.map { $0 >= since.timestamp } ?? false
        }
    }

    /// Lets trips of before the release count again once their cooldown is over.
    ///
    /// - Parameter isGone: whether an element that was last seen at this time is meant.
    func rearm(
        _ rule: inout RollbackRule, _ key: String, at now: Instant, where isGone: (Timestamp?) -> Bool = { _ in true }
    ) {
        for (labels, track) in rule.tracks {
            guard case .tripped(let at, _) = track.state, isGone(track.seenAt), !isOwn(key, labels, at),
                now.timestamp >= at + rule.definition.cooldown
            else { continue }
            rule.rearmed(labels)
        }
    }

    /// Whether a trip is one of the running release.
    func isOwn(_ key: String, _ labels: Labels, _ at: Timestamp) -> Bool {
        guard release?.runningSince != nil else { return false }
        return release?.trips.contains { $0.key == key && $0.labels == labels && $0.at == at } ?? false
    }

    /// The rules in force, by name.
    var sortedWatches: [VerdictRule] {
        watches.values.sorted { ($0.definition.name, $0.key) < ($1.definition.name, $1.key) }
    }
}

extension VerdictMachine.Evaluation {
    /// The result of `measurement`, by the clock of this process.
    fileprivate init(_ measurement: RollbackMeasurement, at now: Instant) {
        self.at = now
        time = measurement.time
        failure = measurement.failure
        guard measurement.failure == nil else { return }
        for element in measurement.elements where element.counts && !element.value.isNaN {
            let age = max(.zero, measurement.time - (element.sampledAt ?? measurement.time))
            sample = max(sample ?? now + (.zero - age), now + (.zero - age))
        }
    }
}
