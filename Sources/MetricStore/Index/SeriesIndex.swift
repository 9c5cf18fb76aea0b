internal import MetricModel

/// All series, with their labels and the lanes that hold their samples.
///
/// Flat arrays indexed by series id: a series costs about 100 bytes and no object. Protected by the store's index lock.
/// Ids of removed series are reused.
struct SeriesIndex {
    /// A range of a lane's chunks that holds samples of a series.
    struct Location {
        var lane: UInt32
        var slot: RingSlot
        /// The first chunk that may contain samples.
        var birth: UInt32
        /// The last chunk; ``alive`` while the slot is in use.
        var death = Location.alive
        /// The next location of the same series, or ``SeriesIndex/none``.
        var next = SeriesIndex.none

        static let alive = UInt32.max
    }

    /// The slots of a location for samples that do not fit in a row of values.
    ///
    /// Each is taken when the first sample needs it. Before its birth the slot may have belonged to another series.
    struct Companions {
        var times: (slot: RingSlot, birth: UInt32)?
        var histograms: (slot: RingSlot, birth: UInt32)?

        var isEmpty: Bool { times == nil && histograms == nil }

        /// The companions that exist in `chunk`.
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
    /// Series from this one on are not in the table and the postings yet. Used only while a log is replayed.
    var firstListed = none
    /// The pairs of all series; those of one series are contiguous. Freed ranges are kept by length.
    var pairPool: [UInt32] = []
    var freePairs: [Int: [UInt32]] = [:]
    var locations: [Location] = []
    var freeLocations: [UInt32] = []
    var companions: [CompanionKey: Companions] = [:]
    /// Changes with every series, location and companion. Results of queries are valid while it is unchanged.
    private(set) var version: UInt64 = 0
    /// The metrics affected by those changes.
    private(set) var changes = ChangeLog()
    /// Locations that ended, by lane, each with its series and last chunk.
    var ended: [UInt32: [(series: UInt32, death: UInt32)]] = [:]

    /// The number of series.
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

    /// Calls `body` with every location of `series`, newest first.
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

    /// The latest location of `labels` in `lane`.
    func latestLocation(of labels: Labels, in lane: UInt32) -> Location? {
        guard let series = find(labels) else { return nil }
        var found: Location?
        forEachLocation(of: series) { location in
            if location.lane == lane, found == nil { found = location }
        }
        return found
    }

    // MARK: Changes

    /// Records that a series named `name` changes; `nil` if it may be any series.
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

    /// Records that from chunk `birth` on, `slot` of `lane` holds samples of `labels`.
    mutating func bind(
        _ labels: Labels, lane: UInt32, slot: RingSlot, birth: UInt32
    ) -> (series: UInt32, isNew: Bool) {
        changed(labels.metricName ?? "")
        return bind(labels.pairs.map { pairs.make($0) }, lane, slot, birth)
    }

    /// The same for series that are created one after the other.
    ///
    /// - Returns: also the slot of the series: `slot`, or the one in this lane that it already has.
    mutating func bind(
        _ labels: Labels, lane: UInt32, slot: RingSlot, birth: UInt32, in run: inout PairRun
    ) -> (series: UInt32, isNew: Bool, slot: RingSlot) {
        let former = run.metric
        run.advance(to: labels) {
            pairs.make($0)
        } like: {
            pairs.make($0, like: $1)
        }
        // One record covers all series of a metric until the version is read, which cannot happen under this lock.
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

    /// The pairs created since the last call.
    mutating func takeMadePairs() -> [UInt32] { pairs.takeMade() }

    /// The pair of `label`, for a series that is bound next.
    mutating func makePair(_ label: Label) -> UInt32 { pairs.make(label) }

    /// The same for labels given by their pairs, sorted by name. Must be called before the first query.
    mutating func recover(_ ids: [UInt32], lane: UInt32, slot: RingSlot, birth: UInt32) -> UInt32 {
        version += 1
        enterListed()
        return bind(ids, lane, slot, birth).series
    }

    /// The same for series that are each either the previous one or new, as in a rewritten log. No series is looked up.
    /// They can be queried after ``enterListed()``.
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

    /// Whether `series` has exactly these pairs. Compares from the end, where consecutive series differ.
    private func hasPairs(_ series: UInt32, _ ids: [UInt32]) -> Bool {
        guard Int(pairCounts[Int(series)]) == ids.count else { return false }
        let start = Int(firstPair[Int(series)])
        return ids.indices.reversed().allSatisfy { pairPool[start + $0] == ids[$0] }
    }

    /// Reserves memory for this number of series and of pairs in total.
    mutating func reserve(series: Int, pairs: Int) {
        firstPair.reserveCapacity(series)
        pairCounts.reserveCapacity(series)
        hashes.reserveCapacity(series)
        firstLocation.reserveCapacity(series)
        locations.reserveCapacity(series)
        pairPool.reserveCapacity(pairs)
    }

    /// Adds the series that were only listed to the table and the postings.
    mutating func enterListed() {
        guard firstListed != Self.none else { return }
        let listed = firstListed..<idBound
        firstListed = Self.none
        for series in listed { hashes.append(ByteHash.of(pairs(of: series))) }
        if listed.count < pairs.idBound / 4 {
            // Too few to visit every pair.
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

    /// Records that a location of `series` has no samples after chunk `death`.
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

    /// Records the companions of a location.
    mutating func setCompanions(_ new: Companions, lane: UInt32, slot: RingSlot, birth: UInt32) {
        changed(nil)
        companions[CompanionKey(lane: lane, slot: slot, birth: birth)] = new
    }

    /// Removes locations that ended in chunk `chunk` of `lane` or before, and series without other locations.
    ///
    /// - Returns: the number of series removed.
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

    /// Removes a location that never had a sample, and the series if it has no other location.
    ///
    /// - Returns: whether the series was removed.
    mutating func unbind(_ series: UInt32, lane: UInt32, slot: RingSlot, birth: UInt32) -> Bool {
        changed(metricName(of: series))
        guard
            removeLocations(of: series, where: { $0.lane == lane && $0.slot == slot && $0.birth == birth }),
            firstLocation[Int(series)] == Self.none
        else { return false }
        remove([series])
        return true
    }

    /// Returns whether such a location existed.
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
