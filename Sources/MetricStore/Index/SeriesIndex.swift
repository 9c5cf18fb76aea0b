internal import MetricModel

/// Which series there are, which labels they have, and in which lanes their samples lie.
///
/// Flat arrays indexed by a series' id, so that a series costs some 100 bytes and no object. Guarded by the store's
/// index lock. Ids of removed series are given out again.
struct SeriesIndex {
    /// A stretch of a lane's chunks that holds samples of a series.
    struct Location {
        var lane: UInt32
        var slot: RingSlot
        /// The first chunk that may hold samples.
        var birth: UInt32
        /// The last one; ``alive`` while the slot is in use.
        var death = Location.alive
        /// The next location of the same series, or ``SeriesIndex/none``.
        var next = SeriesIndex.none

        static let alive = UInt32.max
    }

    /// The slots of a location that hold what does not fit into a row of values.
    ///
    /// Each is taken when the first sample needs it; before its birth the slot may have been another series'.
    struct Companions {
        var times: (slot: RingSlot, birth: UInt32)?
        var histograms: (slot: RingSlot, birth: UInt32)?

        var isEmpty: Bool { times == nil && histograms == nil }

        /// Those that exist in `chunk`.
        func present(inChunk chunk: Int) -> Companions {
            var result = self
            if let birth = times?.birth, chunk < birth { result.times = nil }
            if let birth = histograms?.birth, chunk < birth { result.histograms = nil }
            return result
        }
    }

    struct CompanionKey: Hashable {
        var lane: UInt32
        var slot: RingSlot
        var birth: UInt32
    }

    static let none = UInt32.max
    static let mostLabels = Int(UInt16.max)

    var pairs = LabelPairs()
    var firstPair: [UInt32] = []
    var pairCounts: [UInt16] = []
    var hashes: [UInt32] = []
    var firstLocation: [UInt32] = []
    var freeSeries: [UInt32] = []
    var table = IDTable()
    /// Series from this one on are in neither the table nor the postings yet; only while a log is replayed.
    var firstListed = none
    /// The pairs of all series, those of one series contiguous; freed stretches are kept by length.
    var pairPool: [UInt32] = []
    var freePairs: [Int: [UInt32]] = [:]
    var locations: [Location] = []
    var freeLocations: [UInt32] = []
    var companions: [CompanionKey: Companions] = [:]
    /// Changes with every series, location and companion; what the index said holds as long as this is the same.
    private(set) var version: UInt64 = 0
    /// Which metrics those changes concerned.
    private(set) var changes = ChangeLog()
    /// Locations that ended, per lane, by series and last chunk.
    var ended: [UInt32: [(series: UInt32, death: UInt32)]] = [:]

    /// Number of series.
    var count: Int { table.count }
    /// Upper bound of the ids in use.
    var idBound: UInt32 { UInt32(firstPair.count) }

    /// Whether `series` is in use.
    func contains(_ series: UInt32) -> Bool { firstLocation[Int(series)] != Self.none }

    /// The pairs of `series`, sorted by name.
    func pairs(of series: UInt32) -> ArraySlice<UInt32> {
        let start = Int(firstPair[Int(series)])
        return pairPool[start..<start + Int(pairCounts[Int(series)])]
    }

    /// The labels of `series`.
    func labels(of series: UInt32) -> Labels {
        Labels(sorted: pairs(of: series).map { Label(pairs.nameText($0), pairs.valueText($0)) })
    }

    /// Calls `body` with every location of `series`, the latest first.
    func forEachLocation(of series: UInt32, _ body: (Location) -> Void) {
        var index = firstLocation[Int(series)]
        while index != Self.none {
            body(locations[Int(index)])
            index = locations[Int(index)].next
        }
    }

    /// The companions of `location`.
    func companions(of location: Location) -> Companions {
        if companions.isEmpty { return Companions() }
        return companions[CompanionKey(lane: location.lane, slot: location.slot, birth: location.birth)]
            ?? Companions()
    }

    /// The series with exactly these labels.
    func find(_ labels: Labels) -> UInt32? {
        var ids: [UInt32] = []
        ids.reserveCapacity(labels.count)
        for pair in labels.pairs {
            guard let id = pairs.find(pair.name, pair.value) else { return nil }
            ids.append(id)
        }
        return find(ids, ByteHash.of(ids))
    }

    private func find(_ ids: [UInt32], _ hash: UInt32) -> UInt32? {
        table.find(hash) { hashes[Int($0)] == hash && pairs(of: $0).elementsEqual(ids) }
    }

    /// The latest location that `lane` has for `labels`.
    func latestLocation(of labels: Labels, in lane: UInt32) -> Location? {
        guard let series = find(labels) else { return nil }
        var found: Location?
        forEachLocation(of: series) { location in
            if location.lane == lane, found == nil { found = location }
        }
        return found
    }

    // MARK: Changes

    /// Notes that a series called `name` changes; `nil` where it may be any.
    private mutating func changed(_ name: String?) {
        version += 1
        changes.note(name, at: version)
    }

    private func metricName(of series: UInt32) -> String {
        guard let name = pairs.symbols.find(Labels.metricName),
            let pair = pairs(of: series).first(where: { pairs.name($0) == name })
        else { return "" }
        return pairs.valueText(pair)
    }

    /// Notes that from chunk `birth` on `slot` of `lane` holds samples of `labels`.
    mutating func bind(
        _ labels: Labels, lane: UInt32, slot: RingSlot, birth: UInt32
    ) -> (series: UInt32, isNew: Bool) {
        changed(labels.metricName ?? "")
        return bind(labels.pairs.map { pairs.make($0) }, lane, slot, birth)
    }

    /// The same for series that are made one after the other.
    ///
    /// - Returns: Also the slot that the series has: `slot`, or the one of this lane that it has already.
    mutating func bind(
        _ labels: Labels, lane: UInt32, slot: RingSlot, birth: UInt32, in run: inout PairRun
    ) -> (series: UInt32, isNew: Bool, slot: RingSlot) {
        let former = run.metric
        run.advance(to: labels) {
            pairs.make($0)
        } like: {
            pairs.make($0, like: $1)
        }
        // A note holds for all series of a metric until somebody looks, which nobody does while the lock is held.
        if run.metric == nil || run.metric != former { changed(labels.metricName ?? "") }
        let hash = ByteHash.of(run.ids)
        let known = find(run.ids, hash)
        if let known {
            var own: RingSlot?
            forEachLocation(of: known) { if $0.lane == lane, $0.death == Location.alive { own = $0.slot } }
            if let own { return (known, false, own) }
        }
        let series = known ?? add(run.ids, hash)
        locate(series, lane, slot, birth)
        return (series, known == nil, slot)
    }

    /// The pairs that are new since the last call.
    mutating func takeMadePairs() -> [UInt32] { pairs.takeMade() }

    /// The pair of `label` for a series that is bound next.
    mutating func makePair(_ label: Label) -> UInt32 { pairs.make(label) }

    /// The same for labels given by their pairs, in the order of their names, before anyone has asked this index.
    mutating func recover(_ ids: [UInt32], lane: UInt32, slot: RingSlot, birth: UInt32) -> UInt32 {
        version += 1
        enterListed()
        return bind(ids, lane, slot, birth).series
    }

    /// The same for series of which each is either the previous one or a new one, as in a rewritten log; no series is
    /// looked up. They can be queried after ``enterListed()``.
    mutating func recover(listed ids: [UInt32], lane: UInt32, slot: RingSlot, birth: UInt32) -> UInt32 {
        version += 1
        if firstListed == Self.none { firstListed = idBound }
        var series = idBound
        if series > firstListed, hasPairs(series - 1, ids) {
            series -= 1
        } else {
            firstPair.append(UInt32(pairPool.count))
            pairCounts.append(UInt16(ids.count))
            firstLocation.append(Self.none)
            pairPool.append(contentsOf: ids)
        }
        locate(series, lane, slot, birth)
        return series
    }

    /// Whether `series` has exactly these pairs. From the end, where series that come one after the other differ.
    private func hasPairs(_ series: UInt32, _ ids: [UInt32]) -> Bool {
        guard Int(pairCounts[Int(series)]) == ids.count else { return false }
        let start = Int(firstPair[Int(series)])
        return ids.indices.reversed().allSatisfy { pairPool[start + $0] == ids[$0] }
    }

    /// Makes room for so many series and for all their pairs together.
    mutating func reserve(series: Int, pairs: Int) {
        firstPair.reserveCapacity(series)
        pairCounts.reserveCapacity(series)
        hashes.reserveCapacity(series)
        firstLocation.reserveCapacity(series)
        locations.reserveCapacity(series)
        pairPool.reserveCapacity(pairs)
    }

    /// Puts the series that were only listed into the table and the postings.
    mutating func enterListed() {
        guard firstListed != Self.none else { return }
        let listed = firstListed..<idBound
        firstListed = Self.none
        for series in listed { hashes.append(ByteHash.of(pairs(of: series))) }
        if listed.count < pairs.idBound / 4 {
            // Not worth a look at every pair.
            for series in listed {
                for pair in pairs(of: series) { pairs.add(series, to: pair) }
            }
        } else {
            let counts = pairCounts[Int(listed.lowerBound)...]
            unsafe pairPool.withUnsafeBufferPointer { pool in
                let own = unsafe UnsafeBufferPointer(rebasing: pool[Int(firstPair[Int(listed.lowerBound)])...])
                unsafe pairs.add(from: listed.lowerBound, own, counts: counts)
            }
        }
        table.insert(all: listed) { hashes[Int($0)] }
    }

    private mutating func bind(
        _ ids: [UInt32], _ lane: UInt32, _ slot: RingSlot, _ birth: UInt32
    ) -> (series: UInt32, isNew: Bool) {
        let hash = ByteHash.of(ids)
        let known = find(ids, hash)
        let series = known ?? add(ids, hash)
        locate(series, lane, slot, birth)
        return (series, known == nil)
    }

    private mutating func locate(_ series: UInt32, _ lane: UInt32, _ slot: RingSlot, _ birth: UInt32) {
        let location = Location(lane: lane, slot: slot, birth: birth, next: firstLocation[Int(series)])
        if let reused = freeLocations.popLast() {
            locations[Int(reused)] = location
            firstLocation[Int(series)] = reused
        } else {
            locations.append(location)
            firstLocation[Int(series)] = UInt32(locations.count - 1)
        }
    }

    private mutating func add(_ ids: [UInt32], _ hash: UInt32) -> UInt32 {
        let start: UInt32
        if !freePairs.isEmpty, let reused = freePairs[ids.count]?.popLast() {
            start = reused
            pairPool.replaceSubrange(Int(start)..<Int(start) + ids.count, with: ids)
        } else {
            start = UInt32(pairPool.count)
            pairPool.append(contentsOf: ids)
        }
        let series: UInt32
        if let reused = freeSeries.popLast() {
            series = reused
            firstPair[Int(series)] = start
            pairCounts[Int(series)] = UInt16(ids.count)
            hashes[Int(series)] = hash
        } else {
            series = UInt32(firstPair.count)
            firstPair.append(start)
            pairCounts.append(UInt16(ids.count))
            hashes.append(hash)
            firstLocation.append(Self.none)
        }
        for id in ids { pairs.add(series, to: id) }
        table.insert(series) { hashes[Int($0)] }
        return series
    }

    /// Notes that a location of `series` holds nothing after chunk `death`.
    mutating func end(_ series: UInt32, lane: UInt32, slot: RingSlot, birth: UInt32, death: UInt32) {
        changed(metricName(of: series))
        var index = firstLocation[Int(series)]
        while index != Self.none {
            let location = locations[Int(index)]
            if location.lane == lane, location.slot == slot, location.birth == birth {
                locations[Int(index)].death = death
                ended[lane, default: []].append((series, death))
                return
            }
            index = location.next
        }
    }

    /// Notes where what does not fit into the rows of a location lies.
    mutating func setCompanions(_ new: Companions, lane: UInt32, slot: RingSlot, birth: UInt32) {
        changed(nil)
        companions[CompanionKey(lane: lane, slot: slot, birth: birth)] = new
    }

    /// Forgets what ended in chunk `chunk` of `lane` or before, and the series that have no other samples.
    ///
    /// - Returns: How many series went.
    mutating func forget(lane: UInt32, through chunk: UInt32) -> Int {
        guard let all = ended[lane] else { return 0 }
        let rest = all.filter { $0.death > chunk }
        ended[lane] = rest.isEmpty ? nil : rest
        var gone: [UInt32] = []
        for (series, death) in all where death <= chunk {
            changed(metricName(of: series))
            if removeLocations(of: series, where: { $0.lane == lane && $0.death == death }),
                firstLocation[Int(series)] == Self.none
            {
                gone.append(series)
            }
        }
        remove(gone)
        return gone.count
    }

    /// Takes back a location that never held a sample, and the series if it has no other.
    ///
    /// - Returns: Whether the series went.
    mutating func unbind(_ series: UInt32, lane: UInt32, slot: RingSlot, birth: UInt32) -> Bool {
        changed(metricName(of: series))
        guard
            removeLocations(of: series, where: { $0.lane == lane && $0.slot == slot && $0.birth == birth }),
            firstLocation[Int(series)] == Self.none
        else { return false }
        remove([series])
        return true
    }

    /// Whether there was such a location.
    private mutating func removeLocations(of series: UInt32, where isGone: (Location) -> Bool) -> Bool {
        var removed = false
        var previous = Self.none
        var index = firstLocation[Int(series)]
        while index != Self.none {
            let location = locations[Int(index)]
            if isGone(location) {
                if previous == Self.none {
                    firstLocation[Int(series)] = location.next
                } else {
                    locations[Int(previous)].next = location.next
                }
                companions[CompanionKey(lane: location.lane, slot: location.slot, birth: location.birth)] = nil
                freeLocations.append(index)
                removed = true
            } else {
                previous = index
            }
            index = location.next
        }
        return removed
    }

    private mutating func remove(_ gone: [UInt32]) {
        guard !gone.isEmpty else { return }
        var affected: Set<UInt32> = []
        for series in gone {
            affected.formUnion(pairs(of: series))
            table.remove(series) { hashes[Int($0)] }
            freePairs[Int(pairCounts[Int(series)]), default: []].append(firstPair[Int(series)])
        }
        let isGone = Set(gone)
        for pair in affected { pairs.remove(from: pair) { isGone.contains($0) } }
        freeSeries.append(contentsOf: gone)
    }
}
