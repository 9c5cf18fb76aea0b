import MetricModel
import Testing

@testable import MetricStore

@Suite struct SeriesIndexTests {
    private static func labels(_ number: Int) -> Labels {
        Labels(
            metric: "m\(number % 5)",
            [
                Label("a", "v\(number % 7)"), Label("b", number % 3 == 0 ? "" : "x\(number % 11)"),
                Label("unique", "\(number)"),
            ])
    }

    @Test(arguments: [
        [Matcher("a", .equal, "v1")], [Matcher("a", .notEqual, "v1")], [Matcher("b", .equal, "")],
        [Matcher("b", .notEqual, "")], [Matcher("missing", .equal, "")], [Matcher("missing", .notEqual, "")],
        [Matcher("missing", .regex, ".*")], [Matcher("missing", .regex, ".+")], [Matcher("b", .regex, "x1|x2|")],
        [Matcher("b", .notRegex, "x1|x2|")], [Matcher("b", .regex, "x1.*")], [Matcher("b", .regex, "x1.+")],
        [Matcher("b", .regex, "(x1|x3)")], [Matcher("b", .regex, "(?:x1|x3)")], [Matcher("b", .regex, "x[0-4]")],
        [Matcher("b", .notRegex, "x[0-4]")], [Matcher("a", .equal, "v1"), Matcher("__name__", .regex, "m1|m2|m3")],
        [Matcher("unique", .regex, "1|2|3|4|5|6|7|8|9|10|nothing"), Matcher("a", .notEqual, "v3")],
        [Matcher("a", .equal, "nothing")], [],
    ])
    func matchersFindWhatComparingEverySeriesFinds(matchers: [Matcher]) throws {
        var index = SeriesIndex()
        for number in 0..<300 {
            _ = index.bind(Self.labels(number), lane: 0, slot: RingSlot(UInt32(number)), birth: 0)
        }
        let compiled = try matchers.map { try CompiledMatcher($0) }
        let found = index.series(matching: compiled).map { index.labels(of: $0) }
        let expected = (0..<300).map(Self.labels).filter { labels in
            zip(matchers, compiled).allSatisfy { $1.accepts(labels[$0.name] ?? "") }
        }
        #expect(found.count == expected.count)
        #expect(Set(found) == Set(expected))
    }

    @Test(arguments: [
        ("a|b", "b", true), ("a|b", "ab", false), ("a|", "", true), ("foo.*", "foo", true), ("foo.*", "foo\nbar", true),
        ("foo.+", "foo", false), ("(a|b)", "a", true), ("(?:a|b)", "c", false), ("a.c", "abc", true),
        ("(a)|(b)", "b", true), (".*", "", true), (".+", "", false), ("é", "e\u{301}", false), ("a\\.b", "a.b", true),
    ])
    func fastPathsDecideAsTheWholePatternWould(pattern: String, text: String, expected: Bool) throws {
        #expect(try CompiledMatcher(Matcher("l", .regex, pattern)).accepts(text) == expected)
        #expect(try CompiledMatcher(Matcher("l", .notRegex, pattern)).accepts(text) == !expected)
    }

    @Test func aBadPatternIsAnError() {
        #expect(throws: SelectError.self) { try CompiledMatcher(Matcher("l", .regex, "a(")) }
    }

    @Test func forgottenSeriesLeaveNothingBehind() {
        var index = SeriesIndex()
        for round in 0..<50 {
            let numbers = round * 100..<round * 100 + 100
            for number in numbers {
                let slot = RingSlot(UInt32(number % 100))
                let (series, isNew) = index.bind(Self.labels(number), lane: 0, slot: slot, birth: UInt32(round))
                #expect(isNew)
                index.end(series, lane: 0, slot: slot, birth: UInt32(round), death: UInt32(round))
            }
            #expect(index.count == 100)
            #expect(index.idBound == 100)
            #expect(index.forget(lane: 0, through: UInt32(round)) == 100)
            #expect(index.count == 0)
            #expect(index.pairs.count == 0)
            #expect(index.pairs.symbols.count == 0)
        }
    }

    /// With and without entries before, within the room there is and beyond it.
    @Test(arguments: [0, 5, 40], [0, 1, 3, 60, 500]) func idTablesTakeManyAtOnce(before: UInt32, added: UInt32) {
        var table = IDTable()
        func hash(_ id: UInt32) -> UInt32 { id &* 2_654_435_769 >> 7 }
        for id in 0..<before { table.insert(id, hash: hash) }
        table.insert(all: before..<before + added, hash: hash)
        #expect(table.count == Int(before + added))
        for id in 0..<before + added + 20 {
            #expect((table.find(hash(id)) { $0 == id } != nil) == (id < before + added))
        }
        table.insert(before + added, hash: hash)
        #expect(table.find(hash(before + added)) { $0 == before + added } == before + added)
    }

    @Test func listedSeriesAreFoundAsBoundOnesAre() throws {
        var bound = SeriesIndex()
        var listed = SeriesIndex()
        listed.reserve(series: 200, pairs: 2000)
        for number in 0..<200 {
            // Every third has a second location, in another lane.
            for lane in 0..<(number % 3 == 0 ? 2 : 1) as Range<UInt32> {
                let slot = RingSlot(UInt32(number % 100))
                let ids = Self.labels(number).pairs.map { listed.makePair($0) }
                let (series, _) = bound.bind(Self.labels(number), lane: lane, slot: slot, birth: lane)
                #expect(listed.recover(listed: ids, lane: lane, slot: slot, birth: lane) == series)
            }
        }
        // One that is known, one that is new.
        for number in [17, 200] {
            let ids = Self.labels(number).pairs.map { listed.makePair($0) }
            let series = listed.recover(ids, lane: 3, slot: RingSlot(0), birth: 0)
            #expect(series == bound.bind(Self.labels(number), lane: 3, slot: RingSlot(0), birth: 0).series)
        }
        #expect(listed.count == bound.count)
        for number in 0...200 {
            for lane in [0, 1, 3] as [UInt32] {
                let (own, other) = (
                    listed.latestLocation(of: Self.labels(number), in: lane),
                    bound.latestLocation(of: Self.labels(number), in: lane)
                )
                #expect(own?.slot == other?.slot && own?.birth == other?.birth)
            }
        }
        #expect(listed.latestLocation(of: Self.labels(201), in: 0) == nil)
        // Postings are written together where many series are listed.
        for pair in 0..<bound.pairs.idBound {
            var (own, other): ([UInt32], [UInt32]) = ([], [])
            let (name, value) = (bound.pairs.nameText(pair), bound.pairs.valueText(pair))
            listed.pairs.series(try #require(listed.pairs.find(name, value))).append(to: &own)
            bound.pairs.series(pair).append(to: &other)
            #expect(own == other, "\(name)=\(value)")
        }
    }

    @Test func idTablesFindEverythingThatWasNotRemoved() {
        var generator = Seeded(seed: testSeed)
        var table = IDTable()
        var present: Set<UInt32> = []
        // Few hashes, so that runs of entries are long and wrap around.
        func hash(_ id: UInt32) -> UInt32 { id % 13 * 5 }
        for _ in 0..<4000 {
            let id = UInt32.random(in: 0..<120, using: &generator)
            if present.remove(id) != nil {
                table.remove(id, hash: hash)
            } else {
                table.insert(id, hash: hash)
                present.insert(id)
            }
            let probe = UInt32.random(in: 0..<120, using: &generator)
            #expect((table.find(hash(probe)) { $0 == probe } != nil) == present.contains(probe))
            #expect(table.count == present.count)
        }
    }
}
