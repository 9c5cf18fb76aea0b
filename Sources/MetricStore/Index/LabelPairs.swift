internal import MetricModel

/// Every label pair of the series, with the series that have it.
struct LabelPairs {
    var symbols = SymbolTable()
    var names: [UInt32] = []
    var values: [UInt32] = []
    var postings: [PostingList] = []
    /// The position of a pair in its name's list.
    var positions: [UInt32] = []
    var free: [UInt32] = []
    var table = IDTable()
    /// The pairs of each name.
    var byName: [UInt32: [UInt32]] = [:]

    /// The pairs created since the last call of ``takeMade()``.
    private var made: [UInt32] = []

    /// Upper bound of the ids in use.
    var idBound: UInt32 { UInt32(names.count) }

    /// Number of pairs.
    var count: Int { table.count }

    func name(_ pair: UInt32) -> UInt32 { names[Int(pair)] }
    func value(_ pair: UInt32) -> UInt32 { values[Int(pair)] }
    func nameText(_ pair: UInt32) -> String { symbols[names[Int(pair)]] }
    func valueText(_ pair: UInt32) -> String { symbols[values[Int(pair)]] }

    /// The series with `pair`, in no particular order.
    func series(_ pair: UInt32) -> PostingList { postings[Int(pair)] }

    /// The pair, if any series has it.
    func find(_ name: String, _ value: String) -> UInt32? {
        guard let name = symbols.find(name), let value = symbols.find(value) else { return nil }
        return find(name, value)
    }

    private func find(_ name: UInt32, _ value: UInt32) -> UInt32? {
        table.find(ByteHash.of(name, value)) { names[Int($0)] == name && values[Int($0)] == value }
    }

    /// The pair of `label`; created if it is new. A new pair must get a series next.
    mutating func make(_ label: Label) -> UInt32 {
        make(label, name: symbols.find(label.name))
    }

    /// The pair of `label`, compared with `former` first: consecutive series share most labels and nearly all names, so
    /// a comparison with the previous series costs less than a lookup.
    mutating func make(_ label: Label, like former: (label: Label, pair: UInt32)) -> UInt32 {
        guard ByteOrder.equal(label.name, former.label.name) else { return make(label) }
        if ByteOrder.equal(label.value, former.label.value) { return former.pair }
        return make(label, name: names[Int(former.pair)])
    }

    /// - Parameter known: the symbol of the label's name, if it has one.
    private mutating func make(_ label: Label, name known: UInt32?) -> UInt32 {
        let hash = ByteHash.of(label.value)
        if let known, let value = symbols.find(label.value, hash), let pair = find(known, value) { return pair }
        let name: UInt32
        if let known {
            name = known
            symbols.retain(known)
        } else {
            name = symbols.retain(label.name)
        }
        let value = symbols.retain(label.value, hash)
        let pair: UInt32
        if let reused = free.popLast() {
            pair = reused
            names[Int(pair)] = name
            values[Int(pair)] = value
        } else {
            pair = UInt32(names.count)
            names.append(name)
            values.append(value)
            postings.append(PostingList())
            positions.append(0)
        }
        positions[Int(pair)] = UInt32(byName[name]?.count ?? 0)
        byName[name, default: []].append(pair)
        table.insert(pair) { ByteHash.of(names[Int($0)], values[Int($0)]) }
        made.append(pair)
        return pair
    }

    /// The pairs created since the last call, for the series log.
    mutating func takeMade() -> [UInt32] {
        defer { made.removeAll(keepingCapacity: true) }
        return made
    }

    /// Records that `series` has `pair`.
    mutating func add(_ series: UInt32, to pair: UInt32) {
        postings[Int(pair)].append(series)
    }

    /// Records the pairs of new series, from `first` on. `own` holds the pairs of all of them.
    mutating func add(from first: UInt32, _ own: UnsafeBufferPointer<UInt32>, counts: ArraySlice<UInt16>) {
        let listed = unsafe ListedPostings(from: first, pairs: own, counts: counts)
        unsafe listed.forEach(below: idBound) { pair, first, last, count, steps in
            unsafe postings[Int(pair)].append(first: first, last: last, count: count, steps: steps)
        }
    }

    /// Removes the series for which `isGone` returns true, and the pair if no series is left.
    mutating func remove(from pair: UInt32, where isGone: (UInt32) -> Bool) {
        postings[Int(pair)].removeAll(where: isGone)
        guard postings[Int(pair)].isEmpty else { return }
        let name = names[Int(pair)]
        table.remove(pair) { ByteHash.of(names[Int($0)], values[Int($0)]) }
        let position = Int(positions[Int(pair)])
        if let last = byName[name]?.popLast(), last != pair {
            byName[name]?[position] = last
            positions[Int(last)] = UInt32(position)
        }
        if byName[name]?.isEmpty == true { byName[name] = nil }
        symbols.release(name)
        symbols.release(values[Int(pair)])
        free.append(pair)
    }
}
