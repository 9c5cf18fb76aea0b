internal import MetricModel

/// The result of appending an exemplar.
public enum ExemplarOutcome: Equatable, Sendable {
    /// It was stored.
    case appended
    /// It equals the series' newest exemplar.
    case duplicate
    /// The series has a newer one.
    case outOfOrder
    /// Its labels have more than 128 characters together.
    case tooLong
    /// No exemplars are stored.
    case disabled
}

/// The newest exemplars of all series, up to a limit. A value; ``ExemplarStorage`` protects the one in use.
///
/// Exemplars are kept in a ring in order of arrival. Each links to the next newer one of its series. An overwritten
/// exemplar is always the oldest of its series, so a chain only loses its head. Memory grows with the exemplars up to
/// ``capacity``. A series without exemplars is removed.
struct ExemplarRing {
    /// The maximum length of an exemplar's labels, as in OpenMetrics.
    static let longestLabels = 128

    private struct Entry {
        var exemplar: Exemplar
        /// Whether the exemplar has its own time; otherwise it is the sample's.
        var hasTime: Bool
        var series: Int32
        /// The next newer one of the series.
        var newer: Int32
    }

    private struct Chain {
        var labels: Labels
        var oldest: Int32
        var newest: Int32
    }

    private static let none: Int32 = -1
    private static let entryBytes = MemoryLayout<Entry>.stride
    private static let chainBytes = MemoryLayout<Chain>.stride + MemoryLayout<Labels>.stride + 16

    /// The maximum number of exemplars.
    let capacity: Int
    private var entries: [Entry] = []
    /// The position of the next exemplar.
    private var next = 0
    private var chains: [Chain?] = []
    private var freeChains: [Int32] = []
    private var index: [Labels: Int32] = [:]
    /// The number of exemplars appended, including overwritten ones, but not those read from a file.
    private(set) var takenCount: UInt64 = 0
    /// The approximate size in bytes: texts, pairs and the ring's own tables.
    private(set) var byteCount = 0

    init(capacity: Int) {
        self.capacity = max(0, min(capacity, Int(Int32.max)))
    }

    /// The number of exemplars.
    var count: Int { entries.count }
    /// The number of series with exemplars.
    var seriesCount: Int { index.count }

    /// Adds an exemplar of the series `labels`.
    ///
    /// - Parameter sampleTime: the time for an exemplar without one.
    mutating func append(_ exemplar: Exemplar, of labels: Labels, sampleTime: Timestamp) -> ExemplarOutcome {
        guard capacity > 0 else { return .disabled }
        guard Self.length(exemplar.labels) <= Self.longestLabels else { return .tooLong }
        var exemplar = exemplar
        let hasTime = exemplar.timestamp != nil
        exemplar.timestamp = exemplar.timestamp ?? sampleTime
        if let chain = index[labels].flatMap({ chains[Int($0)] }) {
            let newest = entries[Int(chain.newest)]
            if let outcome = Self.conflict(exemplar, hasTime: hasTime, with: newest) { return outcome }
        }
        if entries.count == capacity { forget(at: next) }
        // Only now: the series may have lost its last exemplar to make room for this one.
        let series = chain(of: labels)
        let entry = Entry(exemplar: exemplar, hasTime: hasTime, series: series, newer: Self.none)
        if entries.count < capacity { entries.append(entry) } else { entries[next] = entry }
        byteCount += Self.entryBytes + Self.bytes(exemplar.labels)
        link(Int32(next), to: series)
        next = (next + 1) % capacity
        takenCount += 1
        return .appended
    }

    /// Adds an exemplar of another ring or a file. Call it in order of arrival.
    mutating func restore(_ record: ExemplarRecord) {
        let taken = takenCount
        var exemplar = record.exemplar
        let time = exemplar.timestamp ?? .distantPast
        if !record.hasTime { exemplar.timestamp = nil }
        // Duplicates from an earlier process and exemplars over the limits are ignored.
        _ = append(exemplar, of: record.series, sampleTime: time)
        takenCount = taken
    }

    /// The newest `count` exemplars, in order of arrival.
    func newest(_ count: Int) -> [ExemplarRecord] {
        let count = min(count, entries.count)
        return (0..<count).compactMap { index in
            let entry = entries[(next + entries.count - count + index) % entries.count]
            return chains[Int(entry.series)].map {
                ExemplarRecord(series: $0.labels, exemplar: entry.exemplar, hasTime: entry.hasTime)
            }
        }
    }

    /// The exemplars in `from...through` of the series that `accepts` returns true for, sorted by series, then by time.
    func select(
        from: Timestamp, through: Timestamp, where accepts: (Labels) -> Bool
    ) -> [(labels: Labels, exemplars: [Exemplar])] {
        var found: [(labels: Labels, exemplars: [Exemplar])] = []
        for case let chain? in chains where accepts(chain.labels) {
            var exemplars: [Exemplar] = []
            var place = chain.oldest
            while place != Self.none {
                let entry = entries[Int(place)]
                if let time = entry.exemplar.timestamp, time >= from, time <= through {
                    exemplars.append(entry.exemplar)
                }
                place = entry.newer
            }
            if !exemplars.isEmpty { found.append((chain.labels, exemplars)) }
        }
        return found.sorted { $0.labels < $1.labels }
    }

    /// The same exemplars in a ring with `capacity`. If there are too many, the oldest are dropped.
    func resized(to capacity: Int) -> ExemplarRing {
        var ring = ExemplarRing(capacity: capacity)
        for record in newest(ring.capacity) { ring.restore(record) }
        ring.takenCount = takenCount
        return ring
    }
}

// MARK: Order

extension ExemplarRing {
    /// Whether the exemplar equals the newest one or is older.
    private static func conflict(_ exemplar: Exemplar, hasTime: Bool, with newest: Entry) -> ExemplarOutcome? {
        let (old, time) = (newest.exemplar, exemplar.timestamp ?? .distantPast)
        let oldTime = old.timestamp ?? .distantPast
        let isSame = exemplar.value == old.value && exemplar.labels == old.labels
        // If neither has its own time, it is the same exemplar, seen again.
        if isSame, !(hasTime || newest.hasTime) || time == oldTime { return .duplicate }
        if time != oldTime { return time < oldTime ? .outOfOrder : nil }
        if exemplar.value != old.value { return exemplar.value < old.value ? .outOfOrder : nil }
        return exemplar.labels < old.labels ? .outOfOrder : nil
    }

    private static func length(_ labels: Labels) -> Int {
        labels.pairs.reduce(0) { $0 + $1.name.unicodeScalars.count + $1.value.unicodeScalars.count }
    }

    private static func bytes(_ labels: Labels) -> Int {
        labels.pairs.reduce(0) { $0 + MemoryLayout<Label>.stride + $1.name.utf8.count + $1.value.utf8.count }
    }
}

// MARK: Chains

extension ExemplarRing {
    private mutating func chain(of labels: Labels) -> Int32 {
        if let known = index[labels] { return known }
        let chain = Chain(labels: labels, oldest: Self.none, newest: Self.none)
        let place: Int32
        if let free = freeChains.popLast() {
            place = free
            chains[Int(free)] = chain
        } else {
            place = Int32(chains.count)
            chains.append(chain)
        }
        index[labels] = place
        byteCount += Self.chainBytes + Self.bytes(labels)
        return place
    }

    private mutating func link(_ place: Int32, to series: Int32) {
        guard var chain = chains[Int(series)] else { return }
        if chain.newest == Self.none { chain.oldest = place } else { entries[Int(chain.newest)].newer = place }
        chain.newest = place
        chains[Int(series)] = chain
    }

    /// Removes the exemplar at `place`, the oldest of its series, from its chain.
    private mutating func forget(at place: Int) {
        let entry = entries[place]
        byteCount -= Self.entryBytes + Self.bytes(entry.exemplar.labels)
        guard var chain = chains[Int(entry.series)] else { return }
        if entry.newer == Self.none {
            chains[Int(entry.series)] = nil
            freeChains.append(entry.series)
            index[chain.labels] = nil
            byteCount -= Self.chainBytes + Self.bytes(chain.labels)
        } else {
            chain.oldest = entry.newer
            chains[Int(entry.series)] = chain
        }
    }
}
