public import MetricModel
public import Runtime

/// Who is on call when: rotations in layers, with overrides above them. A value.
///
/// At most one person is on call at a time. An override counts before a calendar, and a calendar before every layer. Of
/// several overrides that overlap the last one counts; those that were planned while the service runs count before
/// those of the file. A later layer counts before an earlier one.
public struct Schedule: Equatable, Sendable {
    /// A rotation that is in force at some times.
    public struct Layer: Equatable, Sendable {
        /// Who takes turns.
        public let rotation: Rotation
        /// When the layer is in force; always if there is none.
        public let windows: [WeeklyWindow]

        /// A layer.
        public init(rotation: Rotation, windows: [WeeklyWindow] = []) {
            self.rotation = rotation
            self.windows = windows
        }
    }

    /// A person who is on call instead of whom the layers name.
    public struct Override: Equatable, Sendable {
        /// Who is on call.
        public let person: String
        /// When.
        public let times: Range<Timestamp>

        /// An override.
        public init(person: String, times: Range<Timestamp>) {
            self.person = person
            self.times = times
        }
    }

    /// A time in which the same person is on call, or nobody.
    public struct Shift: Equatable, Sendable {
        /// Who is on call; `nil` for nobody.
        public var person: String?
        /// The first moment.
        public var from: Timestamp
        /// The first moment after it.
        public var until: Timestamp
    }

    /// The longest time that ``shifts(from:until:)`` covers.
    public static let longestListing = Milliseconds.hours(24 * 3660)

    /// The name that escalation policies use.
    public let name: String
    /// The zone of all local times.
    public let zone: TimeZone
    /// The layers, the least important first.
    public let layers: [Layer]
    /// Where its calendar is; `nil` for none.
    public let source: CalendarSource?
    /// The shifts of its calendar as it was read last: ascending, without overlaps, each with a person.
    public internal(set) var calendar: [Shift] = []
    /// The overrides of the file.
    public let overrides: [Override]
    /// The overrides that were planned while the service runs.
    public internal(set) var planned: [Override] = []

    /// A schedule.
    public init(
        name: String, zone: TimeZone, layers: [Layer], overrides: [Override] = [], source: CalendarSource? = nil
    ) {
        self.name = name
        self.zone = zone
        self.layers = layers
        self.overrides = overrides
        self.source = source
    }

    /// Who is on call at `moment`.
    public func person(at moment: Timestamp) -> String? {
        if let override = planned.last(where: { $0.times.contains(moment) }) { return override.person }
        if let override = overrides.last(where: { $0.times.contains(moment) }) { return override.person }
        let next = calendar.partition { $0.from > moment }
        if next > 0, calendar[next - 1].until > moment { return calendar[next - 1].person }
        for layer in layers.reversed() {
            guard layer.windows.isEmpty || isInForce(layer, at: moment),
                let turn = layer.rotation.turn(at: moment, in: zone)
            else { continue }
            return turn.person
        }
        return nil
    }

    private func isInForce(_ layer: Layer, at moment: Timestamp) -> Bool {
        let next = moment + Milliseconds(rawValue: 1)
        return layer.windows.contains { !$0.occurrences(from: moment, until: next, in: zone).isEmpty }
    }

    /// Who is on call in `from..<until`, without a gap in the list: nobody is a shift of its own.
    ///
    /// - Complexity: O(*n* × layers) in the number of turns, windows and overrides in that time.
    public func shifts(from: Timestamp, until: Timestamp) -> [Shift] {
        let until = min(until, from + Self.longestListing)
        guard from < until else { return [] }
        var shifts: [Shift] = []
        let edges = edges(from: from, until: until)
        for (index, edge) in edges.enumerated() {
            let end = index + 1 < edges.count ? edges[index + 1] : until
            let person = person(at: edge)
            if let last = shifts.last, last.person == person {
                shifts[shifts.count - 1].until = end
            } else {
                shifts.append(Shift(person: person, from: edge, until: end))
            }
        }
        return shifts
    }

    /// The times at which somebody else may come on call, ascending, `from` first.
    private func edges(from: Timestamp, until: Timestamp) -> [Timestamp] {
        var edges: Set<Timestamp> = [from]
        func add(_ moment: Timestamp) { if from < moment, moment < until { edges.insert(moment) } }
        for override in overrides + planned {
            add(override.times.lowerBound)
            add(override.times.upperBound)
        }
        for shift in calendar[calendar.partition { $0.until > from }...] {
            if shift.from >= until { break }
            add(shift.from)
            add(shift.until)
        }
        for layer in layers {
            for window in layer.windows {
                for times in window.occurrences(from: from, until: until, in: zone) {
                    add(times.lowerBound)
                    add(times.upperBound)
                }
            }
            var turn = layer.rotation.turn(at: from, in: zone) ?? layer.rotation.turn(0, in: zone)
            add(turn.from)
            while turn.until < until {
                add(turn.until)
                turn = layer.rotation.turn(turn.number + 1, in: zone)
            }
        }
        return edges.sorted()
    }
}

extension Array {
    /// The index of the first element that `isLater`; those behind it must be so too.
    fileprivate func partition(_ isLater: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isLater(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
