import Testing

@testable import MetricStore

@Suite struct PostingListTests {
    private func content(_ list: PostingList) -> [UInt32] {
        var all: [UInt32] = []
        list.append(to: &all)
        return all
    }

    @Test func idsComeBackInTheOrderInWhichTheyCame() {
        let ids: [UInt32] = [7, 8, 0, .max, 1, 1 << 20, 127, 255, 1 << 31, 64]
        var list = PostingList()
        for (index, id) in ids.enumerated() {
            list.append(id)
            #expect(content(list) == Array(ids[...index]))
        }
        #expect(list.count == 10)
    }

    @Test func removalLeavesTheOthersInOrderAndTheListUsable() {
        var generator = Seeded(seed: testSeed)
        for _ in 0..<50 {
            var model: [UInt32] = []
            var list = PostingList()
            for _ in 0..<20 {
                for _ in 0..<Int.random(in: 0..<30, using: &generator) {
                    let id = UInt32.random(in: 0..<5000, using: &generator)
                    if model.contains(id) { continue }
                    model.append(id)
                    list.append(id)
                }
                let divisor = UInt32.random(in: 1..<6, using: &generator)
                model.removeAll { $0 % divisor == 0 }
                list.removeAll { $0 % divisor == 0 }
                #expect(content(list) == model && list.count == model.count && list.isEmpty == model.isEmpty)
            }
        }
    }

    /// Also behind series that the lists have already, and with ids far apart.
    @Test func listsWrittenTogetherAreThoseWrittenOneByOne() {
        var generator = Seeded(seed: testSeed)
        for round in 0..<30 {
            let bound = UInt32.random(in: 1..<40, using: &generator)
            var together = [PostingList](repeating: PostingList(), count: Int(bound))
            var single = together
            var first: UInt32 = round % 2 == 0 ? 0 : 5_000_000
            for _ in 0..<3 {
                var (own, counts): ([UInt32], [UInt16]) = ([], [])
                for series in first..<first + UInt32.random(in: 1..<400, using: &generator) {
                    let pairs = (0..<bound).filter { _ in Int.random(in: 0..<9, using: &generator) == 0 }
                    for pair in pairs { single[Int(pair)].append(series) }
                    own += pairs
                    counts.append(UInt16(pairs.count))
                }
                own.withUnsafeBufferPointer { own in
                    ListedPostings(from: first, pairs: own, counts: counts[...])
                        .forEach(below: bound) { pair, first, last, count, steps in
                            together[Int(pair)].append(first: first, last: last, count: count, steps: steps)
                        }
                }
                first += UInt32(counts.count) + 1000
            }
            for (own, other) in zip(together, single) {
                #expect(content(own) == content(other) && own.count == other.count)
            }
        }
    }
}
