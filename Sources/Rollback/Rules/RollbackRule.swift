public import MetricModel
public import RuleModel

/// The machine of one rollback rule: measurements in, decisions out.
///
/// It keeps a track per element of the measured vector, so that one rule watches many services. A missing measurement
/// is neither healthy nor a violation; what it means is the rule's `missing` policy, and only that.
public struct RollbackRule: Equatable, Sendable {
    /// What a measurement led to.
    public enum Action: Equatable, Sendable {
        /// The trip condition held, and the rule has not tripped yet; `streak` violations in a row so far.
        case violated(labels: Labels, sample: EvidenceSample, streak: Int)
        /// The condition held often enough. Told once until the element clears.
        case tripped(Trip)
        /// A tripped element is healthy again.
        case cleared(labels: Labels, at: Timestamp)
        /// Data have been missing for so long that people must know. Told once per gap.
        case missing(labels: Labels, since: Timestamp)
        /// Promotion must stop until data return. Told once per gap.
        case frozen(labels: Labels, since: Timestamp)
        /// Data are back after `missing` or `frozen`.
        case returned(labels: Labels, at: Timestamp)
        /// The rule yields more elements than are tracked; the rest go unwatched. Told once.
        case overflowed(limit: Int)
    }

    /// What is known about one element.
    public struct Track: Equatable, Sendable {
        /// Whether the element has tripped.
        public enum State: Equatable, Sendable {
            /// To: `tripped`.
            case armed
            /// `clearSince`: since when the clear condition has been observed to hold without a gap. To: `armed`.
            case tripped(at: Timestamp, clearSince: Timestamp?)
        }

        /// Whether the element has tripped.
        public internal(set) var state = State.armed
        /// Violations in a row.
        public internal(set) var streak = 0
        /// The last violations of the streak, oldest first.
        public internal(set) var samples: [EvidenceSample] = []
        /// When the element was last there.
        public internal(set) var seenAt: Timestamp?
        /// What has counted last, for or against a violation.
        public internal(set) var counted: Counted?
        /// When the element was first found missing.
        public internal(set) var missingSince: Timestamp?
        /// What has been told of this gap.
        var told: Set<RollbackDefinition.MissingPolicy.Policy> = []

        init() {}
    }

    /// A measurement that has counted.
    public struct Counted: Equatable, Sendable {
        /// When it was evaluated.
        public var at: Timestamp
        /// The time of the newest sample that it rested on.
        public var sample: Timestamp
    }

    /// Which data have to be there by now. What nobody waits for is not missing.
    struct Awaited {
        /// Services of which there has to be an element.
        var services: [String]
        /// Whether the element with these labels, which was last there at this time, has to be there.
        var hasToBeThere: (Labels, Timestamp?) -> Bool

        /// Every element that has ever been there.
        static var everything: Awaited { Awaited(services: []) { _, _ in true } }
    }

    /// Elements that one rule may track.
    public static let trackLimit = 10_000
    /// Samples kept as evidence.
    static let sampleLimit = 20

    /// The rule as last measured.
    public private(set) var definition: RollbackDefinition
    /// What is known, by the labels of the elements. While nothing has ever been measured, the empty label set stands
    /// for the rule itself.
    public internal(set) var tracks: [Labels: Track] = [:]
    private var hasOverflowed = false

    /// A rule that has measured nothing yet.
    public init(_ definition: RollbackDefinition) {
        self.definition = definition
    }

    /// The longest streak of all elements.
    public var streak: Int { tracks.values.map(\.streak).max() ?? 0 }

    /// Whether any element is tripped.
    public var isTripped: Bool { tracks.values.contains { $0.state != .armed } }

    /// Takes one measurement. A changed definition is adopted: streaks survive unless they were counted on another
    /// expression or condition, trips always.
    public mutating func measured(_ measurement: RollbackMeasurement) -> [Action] {
        measured(measurement, awaited: .everything)
    }

    /// Takes one measurement, of which `awaited` has to be there.
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

    /// Tracks that stood for what had not been there, and of which there are elements now.
    private func standIns(_ present: Set<Labels>) -> [Labels] {
        if present.isEmpty { return [] }
        let services = Set(present.compactMap { $0["service"] })
        return tracks.keys.filter { labels in
            if present.contains(labels) { return false }
            let isMadeUp = labels.count == 1 && tracks[labels]?.seenAt == nil
            return labels.isEmpty || isMadeUp && services.contains(labels["service"] ?? "")
        }.sorted()
    }

    /// What is not there: what has been, and what stands for the services that have to be there or for the rule itself
    /// where there has been nothing.
    private func absent(_ present: Set<Labels>, _ awaited: Awaited) -> [Labels] {
        var absent = tracks.keys.filter { !present.contains($0) }
        guard definition.action.service == nil, !awaited.services.isEmpty else {
            return present.isEmpty && tracks.isEmpty ? [.empty] : absent
        }
        let known = Set(present.union(tracks.keys).compactMap { $0["service"] })
        // A rule whose elements name no service is there for all, or for none.
        if known.isEmpty, !(present.isEmpty && tracks.isEmpty) { return absent }
        absent += awaited.services.filter { !known.contains($0) }.map { ["service": $0] }
        return absent
    }

    /// Forgets streaks and trips because a new rollout begins, whose candidate has done nothing wrong yet.
    public mutating func rearmed() {
        for labels in tracks.keys {
            tracks[labels]?.state = .armed
            tracks[labels]?.streak = 0
            tracks[labels]?.samples = []
        }
    }

    /// Lets standing trips count again with the next violation, because they may never have been acted on.
    mutating func reconsidered() {
        for labels in tracks.keys where tracks[labels]?.state != .armed { reconsider(labels, definition) }
    }

    /// Whether `track` stands for a violation that must not be answered by more traffic for the candidate.
    func holdsBack(_ track: Track) -> Bool {
        definition.mode == .enforce && (track.state != .armed || track.streak >= max(1, definition.consecutive))
    }

    private mutating func reconsider(_ labels: Labels, _ definition: RollbackDefinition) {
        tracks[labels]?.state = .armed
        guard let streak = tracks[labels]?.streak else { return }
        tracks[labels]?.streak = max(1, definition.consecutive, streak)
        tracks[labels]?.counted = nil
    }

    private mutating func adopt(_ new: RollbackDefinition) {
        guard new != definition else { return }
        if new.mode == .enforce, definition.mode == .shadow {
            // What was only watched so far is acted on from now on, trips that stand included.
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

    /// There are elements, so that `labels` no longer stand for them. A trip for want of data ends like any
    /// other: when what there is now, every element of it, meets the condition to clear for long enough.
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
            if tracks[labels]?.told.isEmpty == false { actions.append(.returned(labels: labels, at: measurement.time)) }
            tracks[labels] = nil
            return
        }
        element.labels = labels
        step(labels, &actions) { track, actions in
            track.arrived(element, measurement, &actions)
            // It was not there itself.
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

    /// Whether `labels` may be tracked. Elements that are gone and have nothing to remember give way to new ones.
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
    /// The element is there, with a value that is a number.
    fileprivate mutating func arrived(
        _ element: RollbackMeasurement.Element, _ measurement: RollbackMeasurement,
        _ actions: inout [RollbackRule.Action]
    ) {
        if !told.isEmpty { actions.append(.returned(labels: element.labels, at: measurement.time)) }
        told = []
        missingSince = nil
        seenAt = measurement.time
        guard element.counts else {
            suspendClearance()
            return
        }
        let sample = element.sampledAt ?? measurement.time
        // The samples of an earlier measurement have been counted already. A clock that was set back must not make the
        // rule blind.
        let isNew = counted.map { sample > $0.sample || measurement.time < $0.at } ?? true
        if isNew { counted = RollbackRule.Counted(at: measurement.time, sample: sample) }
        if measurement.definition.trip.holds(for: element.value) {
            // A rule that trips at once takes what it sees, also when it was measured before it could count.
            guard isNew || measurement.definition.consecutive <= 1 else { return suspendClearance() }
            violated(element.labels, element.value, measurement, &actions)
        } else {
            guard isNew else { return }
            streak = 0
            samples = []
        }
        clear(element, measurement, &actions)
    }

    /// The element is not there, and nobody waits for it: its candidate has no traffic.
    fileprivate mutating func notAwaited(
        _ labels: Labels, _ measurement: RollbackMeasurement, _ actions: inout [RollbackRule.Action]
    ) {
        if !told.isEmpty { actions.append(.returned(labels: labels, at: measurement.time)) }
        told = []
        missingSince = nil
        suspendClearance()
        guard measurement.definition.missing.policy == .pass else { return }
        streak = 0
        samples = []
    }

    /// The element is not there, or could not be measured.
    fileprivate mutating func missed(
        _ labels: Labels, _ measurement: RollbackMeasurement, _ actions: inout [RollbackRule.Action]
    ) {
        let since = missingSince ?? measurement.time
        missingSince = since
        suspendClearance()
        switch policy(of: measurement.definition.missing, since: since, at: measurement.time) {
        case .hold: break
        case .pass:
            streak = 0
            samples = []
        case .trip: violated(labels, .nan, measurement, &actions)
        case .freeze: if told.insert(.freeze).inserted { actions.append(.frozen(labels: labels, since: since)) }
        case .alert: if told.insert(.alert).inserted { actions.append(.missing(labels: labels, since: since)) }
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
        if streak < Int.max { streak += 1 }
        samples = samples.suffix(RollbackRule.sampleLimit - 1) + [sample]
        // Once tripped, further violations are no news: the measurements are recorded, and the trip stands until it
        // clears.
        guard state == .armed else { return }
        actions.append(.violated(labels: labels, sample: sample, streak: streak))
        guard streak >= max(1, measurement.definition.consecutive) else { return }
        state = .tripped(at: measurement.time, clearSince: nil)
        actions.append(.tripped(Trip(of: measurement, labels: labels, samples: samples)))
    }

    /// Clearing needs the condition to be seen all the time, so a gap begins it anew.
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
