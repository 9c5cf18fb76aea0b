internal import MetricModel

extension SymbolTable: InvariantChecking {
    var brokenInvariants: [String] {
        var report = InvariantReport()
        report.expect(texts.count == hashes.count && texts.count == references.count, "the columns are equally long")
        guard report.broken.isEmpty else { return report.broken }
        report.add("table", table.brokenInvariants { hashes[Int($0)] })
        let used = texts.indices.filter { references[$0] > 0 }
        report.expect(used.count == table.count, "every text that is referred to is in the table, and no other")
        for symbol in used {
            report.expect(hashes[symbol] == ByteHash.of(texts[symbol]), "symbol \(symbol) has the hash of its text")
            report.expect(find(texts[symbol]) == UInt32(symbol), "symbol \(symbol) is found by its text")
        }
        report.expect(
            Set(free) == Set(texts.indices.filter { references[$0] == 0 }.map { UInt32($0) })
                && Set(free).count == free.count,
            "the free list has each unused symbol once")
        return report.broken
    }
}

extension PostingList: InvariantChecking {
    var brokenInvariants: [String] {
        var report = InvariantReport()
        var series: [UInt32] = []
        append(to: &series)
        report.expect(series.count == Int(count), "the steps give \(count) series, not \(series.count)")
        report.expect(series.isEmpty || series.last == last, "the last series is \(last)")
        report.expect(Set(series).count == series.count, "no series occurs twice")
        report.expect(bytes.last ?? 0 < 0x80, "the last step is whole")
        return report.broken
    }
}

extension LabelPairs: InvariantChecking {
    var brokenInvariants: [String] {
        var report = InvariantReport()
        let columns = [values.count, postings.count, positions.count]
        report.expect(columns.allSatisfy { $0 == names.count }, "the columns are equally long")
        guard report.broken.isEmpty else { return report.broken }
        report.add("symbols", symbols.brokenInvariants)
        report.add("table", table.brokenInvariants { ByteHash.of(names[Int($0)], values[Int($0)]) })
        let isFree = Set(free)
        report.expect(isFree.count == free.count, "no pair is free twice")
        report.expect(table.count + free.count == names.count, "a pair is either in the table or free")
        var references: [UInt32: UInt32] = [:]
        for pair in names.indices where !isFree.contains(UInt32(pair)) {
            let list = byName[names[pair]] ?? []
            let position = Int(positions[pair])
            report.expect(
                list.indices.contains(position) && list[position] == UInt32(pair), "pair \(pair) is in its name's list")
            report.add("postings of pair \(pair)", postings[pair].brokenInvariants)
            references[names[pair], default: 0] += 1
            references[values[pair], default: 0] += 1
        }
        for pair in free { report.expect(postings[Int(pair)].isEmpty, "the free pair \(pair) has no series") }
        report.expect(
            byName.values.allSatisfy { !$0.isEmpty } && byName.values.reduce(0) { $0 + $1.count } == table.count,
            "the lists of the names have each pair once")
        for symbol in symbols.references.indices {
            report.expect(
                symbols.references[symbol] == references[UInt32(symbol)] ?? 0,
                "symbol \(symbol) is referred to as often as it counts")
        }
        return report.broken
    }
}
