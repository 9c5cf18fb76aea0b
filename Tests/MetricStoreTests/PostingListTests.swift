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
}
