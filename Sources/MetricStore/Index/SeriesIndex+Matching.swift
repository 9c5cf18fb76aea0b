internal import MetricModel

extension SeriesIndex {
    /// The ids of the series that match all `matchers`, in ascending order.
    ///
    /// Starts from the shortest list of series of one matcher, and checks each with the others: a series has few
    /// labels, which are adjacent in memory. A matcher that accepts an absent label has no list and is only checked.
    func series(matching matchers: [CompiledMatcher]) -> [UInt32] {
        var resolved = matchers.map { ResolvedMatcher($0, pairs) }
        var start: (index: Int, pairs: [UInt32], size: Int)?
        for index in resolved.indices.sorted(by: { resolved[$0].isListed && !resolved[$1].isListed })
        where !resolved[index].matcher.acceptsAbsence {
            // Testing every value of a label costs more than checking fewer series.
            if let start, resolved[index].valueCount(pairs) >= start.size { continue }
            let fitting = resolved[index].fittingPairs(pairs)
            let size = fitting.reduce(0) { $0 + Int(pairs.series($1).count) }
            if size == 0 { return [] }
            if size < start?.size ?? .max { start = (index, fitting, size) }
        }
        var candidates: [UInt32]
        if let start {
            candidates = []
            candidates.reserveCapacity(start.size)
            for pair in start.pairs { pairs.series(pair).append(to: &candidates) }
            resolved.remove(at: start.index)
        } else {
            candidates = (0..<idBound).filter { contains($0) }
        }
        for index in resolved.indices {
            candidates = candidates.filter { resolved[index].accepts(pairs(of: $0), pairs) }
        }
        candidates.sort()
        return candidates
    }
}

/// A matcher resolved to the index's pairs. Valid while the index lock is held.
private struct ResolvedMatcher {
    let matcher: CompiledMatcher
    /// The symbol of the label's name; `nil` if no series has the label.
    let name: UInt32?
    /// The pairs of the matcher's literals.
    private let listed: [UInt32]?
    private let listedSet: Set<UInt32>
    private var verdicts: [UInt32: Bool] = [:]

    init(_ matcher: CompiledMatcher, _ pairs: LabelPairs) {
        self.matcher = matcher
        name = pairs.symbols.find(matcher.name)
        if let texts = matcher.listed {
            listedSet = Set(texts.compactMap { pairs.find(matcher.name, $0) })
            listed = Array(listedSet)
        } else {
            listedSet = []
            listed = nil
        }
    }

    /// Whether the matching pairs are known without testing every value.
    var isListed: Bool { listed != nil && !matcher.isNegated }

    /// The number of values to test.
    func valueCount(_ pairs: LabelPairs) -> Int {
        isListed ? 0 : name.flatMap { pairs.byName[$0]?.count } ?? 0
    }

    /// The matching pairs of the label.
    mutating func fittingPairs(_ pairs: LabelPairs) -> [UInt32] {
        if let listed, !matcher.isNegated { return listed }
        guard let name, let all = pairs.byName[name] else { return [] }
        return all.filter { accepts($0, pairs) }
    }

    /// Whether a series with these pairs matches.
    mutating func accepts(_ own: ArraySlice<UInt32>, _ pairs: LabelPairs) -> Bool {
        guard let name, let pair = own.first(where: { pairs.name($0) == name }) else { return matcher.acceptsAbsence }
        return accepts(pair, pairs)
    }

    private mutating func accepts(_ pair: UInt32, _ pairs: LabelPairs) -> Bool {
        if let listed {
            let isListed = listed.count <= 8 ? listed.contains(pair) : listedSet.contains(pair)
            return isListed != matcher.isNegated
        }
        if let known = verdicts[pair] { return known }
        let verdict = matcher.accepts(pairs.valueText(pair))
        verdicts[pair] = verdict
        return verdict
    }
}
