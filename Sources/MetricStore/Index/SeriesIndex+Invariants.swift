internal import MetricModel

extension SeriesIndex: InvariantChecking {
    var brokenInvariants: [String] {
        // While series are only listed, the index cannot be queried.
        guard firstListed == Self.none else { return [] }
        var report = InvariantReport()
        let columns = [pairCounts.count, hashes.count, firstLocation.count]
        report.expect(columns.allSatisfy { $0 == firstPair.count }, "the columns are equally long")
        guard report.broken.isEmpty else { return report.broken }
        report.add("pairs", pairs.brokenInvariants)
        report.add("table", table.brokenInvariants { hashes[Int($0)] })
        checkSeries(&report)
        checkPostings(&report)
        checkLocations(&report)
        return report.broken
    }

    private var seriesInUse: [UInt32] { (0..<idBound).filter { contains($0) } }

    private func checkSeries(_ report: inout InvariantReport) {
        let used = seriesInUse
        report.expect(used.count == table.count, "every series with a location is in the table, and no other")
        report.expect(
            Set(freeSeries).count == freeSeries.count && freeSeries.allSatisfy { !contains($0) }
                && freeSeries.count + used.count == firstPair.count,
            "an id is either in use or free, once")
        // The pool consists of the ranges of series and of free ranges, without gaps or overlaps.
        var stretches = used.map { (start: Int(firstPair[Int($0)]), count: Int(pairCounts[Int($0)])) }
        for (length, starts) in freePairs { stretches += starts.map { (Int($0), length) } }
        stretches = stretches.filter { $0.count > 0 }.sorted { $0.start < $1.start }
        var end = 0
        for stretch in stretches {
            report.expect(stretch.start == end, "the pool of pairs has no gap and no overlap at \(end)")
            end = stretch.start + stretch.count
        }
        report.expect(end == pairPool.count, "the pool of pairs is used to its end")
        guard report.broken.isEmpty else { return }
        for series in used {
            let own = pairs(of: series)
            report.expect(hashes[Int(series)] == ByteHash.of(own), "series \(series) has the hash of its pairs")
            let names = own.map { pairs.nameText($0) }
            report.expect(
                zip(names, names.dropFirst()).allSatisfy { ByteOrder.precedes($0, $1) },
                "the labels of series \(series) are sorted by name, each once")
            report.expect(find(labels(of: series)) == series, "series \(series) is found by its labels")
        }
    }

    private func checkPostings(_ report: inout InvariantReport) {
        guard report.broken.isEmpty else { return }
        var expected: [UInt32: Set<UInt32>] = [:]
        for series in seriesInUse {
            for pair in pairs(of: series) { expected[pair, default: []].insert(series) }
        }
        for pair in 0..<pairs.idBound {
            var listed: [UInt32] = []
            pairs.series(pair).append(to: &listed)
            report.expect(
                Set(listed) == expected[pair] ?? [], "the postings of pair \(pair) are the series that have it")
        }
    }

    private func checkLocations(_ report: inout InvariantReport) {
        var reached = Set(freeLocations)
        report.expect(reached.count == freeLocations.count, "no location is free twice")
        var keys: Set<CompanionKey> = []
        var deaths: [UInt32: [[UInt32]]] = [:]
        for series in seriesInUse {
            var index = firstLocation[Int(series)]
            while index != Self.none {
                guard reached.insert(index).inserted else {
                    report.expect(false, "location \(index) belongs to one series")
                    break
                }
                let location = locations[Int(index)]
                report.expect(location.birth <= location.death, "a location of series \(series) ends after it begins")
                let key = CompanionKey(lane: location.lane, slot: location.slot, birth: location.birth)
                report.expect(keys.insert(key).inserted, "a slot has only one series from chunk \(location.birth) on")
                if location.death != Location.alive {
                    deaths[location.lane, default: []].append([series, location.death])
                }
                index = location.next
            }
        }
        report.expect(reached.count == locations.count, "a location is either a series' or free")
        report.expect(companions.keys.allSatisfy(keys.contains), "companions belong to a location")
        for lane in Set(deaths.keys).union(ended.keys) {
            let noted = (ended[lane] ?? []).map { [$0.series, $0.death] }
            report.expect(
                noted.sorted(by: Self.precedes) == (deaths[lane] ?? []).sorted(by: Self.precedes),
                "locations that ended in lane \(lane) are listed once for retention")
        }
    }

    private static func precedes(_ left: [UInt32], _ right: [UInt32]) -> Bool {
        left.lexicographicallyPrecedes(right)
    }
}
