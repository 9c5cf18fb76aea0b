public import MetricModel
public import RuleModel

/// The machine of one rollback rule: measurements in, actions out.
///
/// It has a track per element of the measured vector, so one rule can measure many services. A missing measurement is
/// neither healthy nor a violation; the rule's `missing` policy alone decides its effect.
public struct RollbackRule: Hashable, Sendable {
    /// The result of a measurement.
    public enum Action: Hashable, Sendable {
        /// The trip condition was met, but the rule has not tripped yet; `streak` violations in a row so far.
        case violated(labels: Labels, sample: EvidenceSample, streak: Int)
        /// The condition was met often enough. Returned once until the element clears.
        case tripped(Trip)
        /// A tripped element is healthy again.
        case cleared(labels: Labels, at: Timestamp)
        /// Data have been missing for so long that it must be notified. Returned once per gap.
        case missing(labels: Labels, since: Timestamp)
        /// Promotion must stop until data return. Returned once per gap.
        case frozen(labels: Labels, since: Timestamp)
        /// Data are back after `missing` or `frozen`.
        case returned(labels: Labels, at: Timestamp, wasPaged: Bool)
        /// The rule returns more elements than the limit; the others are not tracked. Returned once.
        case overflowed(limit: Int)
    }

    /// The state of one element.
    public struct Track: Hashable, Sendable {
        /// Whether the element has tripped.
        public enum State: Hashable, Sendable {
            /// To: `tripped`.
            case armed
            /// `clearSince`: since when the clear condition has been met without a gap. To: `armed`.
            case tripped(at: Timestamp, clearSince: Timestamp?)
        }

        /// Whether the element has tripped.
        public internal(set) var state = State.armed
        /// Violations in a row.
        public internal(set) var streak = 0
        /// When the first violation of the last streak was measured.
        public internal(set) var violatedSince: Timestamp?
        /// The last violations of the streak, oldest first.
        public internal(set) var samples: [EvidenceSample] = []
        /// The last value that was there and counted.
        public internal(set) var lastValue: Double?
        /// The annotations of the last violation.
        public internal(set) var annotations = Labels.empty
        /// When the element was last there.
        public internal(set) var seenAt: Timestamp?
        /// The last measurement that counted.
        public internal(set) var counted: Counted?
        /// When the element was first missing.
        public internal(set) var missingSince: Timestamp?
        /// The notifications of this gap.
        var announced: Set<RollbackDefinition.MissingPolicy.Policy> = []

        init() {}
    }

    /// A measurement that counted.
    public struct Counted: Hashable, Sendable {
        /// When it was evaluated.
        public var at: Timestamp
        /// The time of its newest sample.
        public var sample: Timestamp
    }

    /// The data that must be present by now. Other data are not missing.
    struct Awaited {
        /// Services that must have an element.
        var services: [String]
        /// Whether the element with these labels, last present at this time, must be present.
        var hasToBeThere: (Labels, Timestamp?) -> Bool

        /// Every element that was ever present.
        static var everything: Awaited { Awaited(services: []) { _, _ in true } }
    }

    /// The limit of tracked elements of one rule.
    public static let trackLimit = 10_000
    /// Samples kept as evidence.
    static let sampleLimit = 20

    /// The definition of the last measurement.
    public internal(set) var definition: RollbackDefinition
    /// The state by the labels of the elements. Before the first element, the empty label set stands for the rule
    /// itself.
    public internal(set) var tracks: [Labels: Track] = [:]
    private var hasOverflowed = false

    /// A rule without measurements.
    public init(_ definition: RollbackDefinition) {
        self.definition = definition
    }

    /// The longest streak of all elements.
    public var streak: Int { tracks.values.map(\.streak).max() ?? 0 }

    /// Whether any element is tripped.
    public var isTripped: Bool { tracks.values.contains { $0.state != .armed } }

    /// Processes one measurement. A changed definition is adopted: streaks are kept unless expression or condition
    /// changed, trips always.
    public mutating func measured(_ measurement: RollbackMeasurement) -> [Action] {
        measured(measurement, awaited: .everything)
    }

    /// Processes one measurement; `awaited` must be present.
    mutating func measured(_ measurement: RollbackMeasurement, awaited: Awaited) -> [Action] {
        adopt(measurement.definition)
        var actions: [Action] = []
        var present: Set<Labels> = []
        if measurement.failure == nil {
            for element in measurement.elements where !element.value.isNaN {
                present.insert(element.labels)
                guard makeRoom(for: element.labels, present: present, &actions) else { continue }
                step(element.labels, &actions) { track, actions in
                    track.arrived(element, measurement, &actions)
                }
            }
        }
        for labels in standIns(present) {
            stopStanding(labels, for: measurement, &actions)
            present.insert(labels)
        }
        for labels in absent(present, awaited).sorted() {
            if awaited.hasToBeThere(labels, tracks[labels]?.seenAt) {
                step(labels, &actions) { track, actions in track.missed(labels, measurement, &actions) }
            } else if tracks[labels] != nil {
                step(labels, &actions) { track, actions in track.notAwaited(labels, measurement, &actions) }
            }
        }
        return actions
    }

    /// Tracks of missing services for which there are elements now.
    private func standIns(_ present: Set<Labels>) -> [Labels] {
        if present.isEmpty { return [] }
        let services = Set(present.compactMap { $0["service"] })
        return tracks.keys.filter { labels in
            if present.contains(labels) { return false }
            let isMadeUp = labels.count == 1 && tracks[labels]?.seenAt == nil
            return labels.isEmpty || isMadeUp && services.contains(labels["service"] ?? "")
        }.sorted()
    }

    /// Missing tracks: those of known elements, of services that must have an element, or of the rule itself if there
    /// has been none.
    private func absent(_ present: Set<Labels>, _ awaited: Awaited) -> [Labels] {
        var absent = tracks.keys.filter { !present.contains($0) }
        guard definition.action.service == nil, !awaited.services.isEmpty else {
            return present.isEmpty && tracks.isEmpty ? [.empty] : absent
        }
        let known = Set(present.union(tracks.keys).compactMap { $0["service"] })
        // A rule whose elements have no service is present for all or for none.
        if known.isEmpty, !(present.isEmpty && tracks.isEmpty) { return absent }
        absent += awaited.services.filter { !known.contains($0) }.map { ["service": $0] }
        return absent
    }

    /// Resets streaks and trips because a new rollout begins, with a new candidate.
    public mutating func rearmed() {
        for labels in tracks.keys { rearmed(labels) }
    }

    /// Resets the streak and the trip of one element, if there is one.
    mutating func rearmed(_ labels: Labels) {
        tracks[labels]?.state = .armed
        tracks[labels]?.streak = 0
        tracks[labels]?.samples = []
    }

    /// Lets active trips count again with the next violation, because they may not have been acted on.
    mutating func reconsidered() {
        reconsidered(Array(tracks.keys))
    }

    /// The same for the elements `labels`.
    ///
    /// - Returns: whether one of them had tripped.
    @discardableResult
    mutating func reconsidered(_ elements: [Labels]) -> Bool {
        let tripped = elements.filter { labels in tracks[labels].map { $0.state != .armed } ?? false }
        for labels in tripped { reconsider(labels, definition) }
        return !tripped.isEmpty
    }

    /// Whether `track` has a violation that must stop promotion.
    func holdsBack(_ track: Track) -> Bool {
        definition.mode == .enforce && (track.state != .armed || track.streak >= max(1, definition.consecutive))
    }

    private mutating func reconsider(_ labels: Labels, _ definition: RollbackDefinition) {
        tracks[labels]?.state = .armed
        guard let streak = tracks[labels]?.streak else { return }
        tracks[labels]?.streak = max(1, definition.consecutive, streak)
        tracks[labels]?.counted = nil
    }

    mutating func adopt(_ new: RollbackDefinition) {
        guard new != definition else { return }
        if new.mode == .enforce, definition.mode == .shadow {
            // A change from shadow to enforce also applies to active trips.
            for labels in tracks.keys where tracks[labels]?.state != .armed { reconsider(labels, new) }
        }
        if new.expression != definition.expression || new.trip != definition.trip {
            for labels in tracks.keys {
                tracks[labels]?.streak = 0
                tracks[labels]?.samples = []
            }
        }
        definition = new
    }

    /// Elements are present, so `labels` no longer stand for them. A trip because of missing data ends like any other:
    /// when every present element meets the clear condition for long enough.
    private mutating func stopStanding(
        _ labels: Labels, for measurement: RollbackMeasurement, _ actions: inout [Action]
    ) {
        let elements = measurement.elements.filter { element in
            !element.value.isNaN && (labels.isEmpty || element.labels["service"] == labels["service"])
        }
        let clear = measurement.definition.clear?.condition
        let worst =
            elements.first { !$0.counts } ?? elements.first { measurement.definition.trip.holds(for: $0.value) }
            ?? elements.first { clear?.holds(for: $0.value) == false } ?? elements.first
        guard var element = worst, let standing = tracks[labels], standing.state != .armed else {
            tracks[labels]?.returned(labels, measurement, &actions)
            tracks[labels] = nil
            return
        }
        element.labels = labels
        step(labels, &actions) { track, actions in
            track.arrived(element, measurement, &actions)
            // It was not present itself.
            track.seenAt = nil
        }
        if tracks[labels]?.state == .armed { tracks[labels] = nil }
    }

    private mutating func step(
        _ labels: Labels, _ actions: inout [Action], _ body: (inout Track, inout [Action]) -> Void
    ) {
        var track = tracks[labels] ?? Track()
        body(&track, &actions)
        tracks[labels] = track
    }

    /// Whether `labels` may be tracked. Missing elements without a state to keep are replaced by new ones.
    private mutating func makeRoom(for labels: Labels, present: Set<Labels>, _ actions: inout [Action]) -> Bool {
        if tracks[labels] != nil || tracks.count < Self.trackLimit { return true }
        tracks = tracks.filter { present.contains($0.key) || $0.value.state != .armed || $0.value.streak > 0 }
        if tracks.count < Self.trackLimit { return true }
        if !hasOverflowed { actions.append(.overflowed(limit: Self.trackLimit)) }
        hasOverflowed = true
        return false
    }
}

extension RollbackRule.Track {
    /// Data have returned, or are no longer required.
    fileprivate mutating func returned(
        _ labels: Labels, _ measurement: RollbackMeasurement, _ actions: inout [RollbackRule.Action]
    ) {
        if !announced.isEmpty {
            actions.append(.returned(labels: labels, at: measurement.time, wasPaged: announced.contains(.alert)))
        }
        announced = []
    }

    /// The element is there, with a value that is a number.
    fileprivate mutating func arrived(
        _ element: RollbackMeasurement.Element, _ measurement: RollbackMeasurement,
        _ actions: inout [RollbackRule.Action]
    ) {
        returned(element.labels, measurement, &actions)
        missingSince = nil
        seenAt = measurement.time
        guard element.counts else {
            suspendClearance()
            return
        }
        lastValue = element.value
        let sample = element.sampledAt ?? measurement.time
        // Earlier samples have already been counted. A clock that was set back must not disable the rule. Evaluation
        // times of a process increase, so the same time again also means that.
        let isNew = counted.map { sample > $0.sample || measurement.time <= $0.at } ?? true
        if isNew { counted = RollbackRule.Counted(at: measurement.time, sample: sample) }
        if measurement.definition.trip.holds(for: element.value) {
            // A rule that trips at once uses each measurement, also one from before it could count.
            guard isNew || measurement.definition.consecutive <= 1 else { return suspendClearance() }
            annotations = element.annotations
            violated(element.labels, element.value, measurement, &actions)
        } else {
            guard isNew else { return }
            streak = 0
            samples = []
        }
        clear(element, measurement, &actions)
    }

    /// The element is missing and not expected: its candidate has no traffic.
    fileprivate mutating func notAwaited(
        _ labels: Labels, _ measurement: RollbackMeasurement, _ actions: inout [RollbackRule.Action]
    ) {
        if measurement.isUnknown { return suspendClearance() }
        returned(labels, measurement, &actions)
        missingSince = nil
        suspendClearance()
        guard measurement.definition.missing.policy == .pass else { return }
        streak = 0
        samples = []
    }

    /// The element is missing, or could not be measured.
    fileprivate mutating func missed(
        _ labels: Labels, _ measurement: RollbackMeasurement, _ actions: inout [RollbackRule.Action]
    ) {
        suspendClearance()
        if measurement.isUnknown { return unanswered(labels, measurement, &actions) }
        let since = missingSince ?? measurement.time
        missingSince = since
        switch policy(of: measurement.definition.missing, since: since, at: measurement.time) {
        case .hold: break
        case .pass:
            returned(labels, measurement, &actions)
            streak = 0
            samples = []
        case .trip: violated(labels, .nan, measurement, &actions)
        case .freeze: if announced.insert(.freeze).inserted { actions.append(.frozen(labels: labels, since: since)) }
        case .alert: if announced.insert(.alert).inserted { actions.append(.missing(labels: labels, since: since)) }
        }
    }

    /// The server that was asked did not answer, so whether data are missing is unknown: nothing counts, as healthy or
    /// as a violation. A rule for which missing data are healthy, or stop promotion, stops it until there is an answer.
    private mutating func unanswered(
        _ labels: Labels, _ measurement: RollbackMeasurement, _ actions: inout [RollbackRule.Action]
    ) {
        switch measurement.definition.missing.policy {
        case .hold, .trip, .alert: break
        case .pass, .freeze:
            guard announced.insert(.freeze).inserted else { return }
            actions.append(.frozen(labels: labels, since: missingSince ?? measurement.time))
        }
    }

    private func policy(
        of missing: RollbackDefinition.MissingPolicy, since: Timestamp, at now: Timestamp
    ) -> RollbackDefinition.MissingPolicy.Policy {
        guard let after = missing.after, now - since >= after else { return missing.policy }
        return missing.then
    }

    private mutating func violated(
        _ labels: Labels, _ value: Double, _ measurement: RollbackMeasurement, _ actions: inout [RollbackRule.Action]
    ) {
        let sample = EvidenceSample(time: measurement.time, value: value)
        // An active trip stays in its incident.
        if streak == 0, state == .armed { violatedSince = measurement.time }
        if streak < Int.max { streak += 1 }
        samples = samples.suffix(RollbackRule.sampleLimit - 1) + [sample]
        // After a trip further violations cause no action: measurements are recorded, and the trip stays until it
        // clears.
        guard state == .armed else { return }
        actions.append(.violated(labels: labels, sample: sample, streak: streak))
        guard streak >= max(1, measurement.definition.consecutive) else { return }
        state = .tripped(at: measurement.time, clearSince: nil)
        actions.append(
            .tripped(
                Trip(
                    of: measurement, labels: labels, samples: samples, annotations: annotations, since: violatedSince)))
    }

    /// The clear condition must hold without gaps; a gap restarts its duration.
    private mutating func suspendClearance() {
        if case .tripped(let at, _) = state { state = .tripped(at: at, clearSince: nil) }
    }

    private mutating func clear(
        _ element: RollbackMeasurement.Element, _ measurement: RollbackMeasurement,
        _ actions: inout [RollbackRule.Action]
    ) {
        guard case .tripped(let at, let clearSince) = state else { return }
        let definition = measurement.definition
        let isHealthy = definition.clear?.condition.holds(for: element.value) ?? true
        guard isHealthy, !definition.trip.holds(for: element.value) else {
            state = .tripped(at: at, clearSince: nil)
            return
        }
        let since = clearSince ?? measurement.time
        guard measurement.time - since >= definition.clear?.hold ?? .zero else {
            state = .tripped(at: at, clearSince: since)
            return
        }
        state = .armed
        actions.append(.cleared(labels: element.labels, at: measurement.time))
    }
}
