import MetricModel
import MetricStore
import TestSupport
import Testing

@testable import RemoteWrite

@Suite struct SeriesPlacesTests {
    private let store: MetricStore
    private let slot: RingSlot

    init() throws {
        store = try MetricStore(StoreConfiguration(), registry: nil)
        let lane = try store.openLane("lane")
        slot = try lane.slot(for: Labels(metric: "a"))
    }

    private func place(_ lane: Int = 0) -> SeriesPlaces.Place {
        SeriesPlaces.Place(lane: lane, slot: slot, lastUsed: Timestamp(seconds: 1))
    }

    private func find(_ text: String, in places: SeriesPlaces) -> Int? {
        unsafe Array(text.utf8).withUnsafeBufferPointer { unsafe places.find($0) }
    }

    private func add(_ text: String, of number: Int, to places: inout SeriesPlaces) {
        unsafe Array(text.utf8).withUnsafeBufferPointer { unsafe places.addSpelling($0, of: number) }
    }

    @Test func everySpellingFindsThePlaceUntilItIsRemoved() {
        var places = SeriesPlaces()
        let (first, second) = (places.insert(place(1), as: Array("first".utf8)), places.insert(place(2), as: []))
        add("other", of: first, to: &places)
        #expect(
            ["first", "other", "", "firs", "firsu"].map { find($0, in: places) } == [first, first, second, nil, nil])
        #expect(places[first].lane == 1)
        #expect(places[second].lane == 2)
        places.remove(first)
        places.remove(first)
        #expect(["first", "other", ""].map { find($0, in: places) } == [nil, nil, second])
        #expect((places.count, places.spellingCount) == (1, 1))
        // The number and the bytes are used again.
        #expect(places.insert(place(3), as: Array("third".utf8)) == first)
        #expect(["first", "third", ""].map { find($0, in: places) } == [nil, first, second])
        #expect(Array(places.numbers) == [first, second])
    }

    @Test func spellingsOfASeriesAreLimited() {
        var places = SeriesPlaces()
        let number = places.insert(place(), as: Array("a".utf8))
        for spelling in 0..<10 { add("spelling \(spelling)", of: number, to: &places) }
        #expect(places.spellingCount == SeriesPlaces.mostSpellings)
        #expect(find("a", in: places) == number)
        #expect(find("spelling 0", in: places) == number)
        #expect(find("spelling 9", in: places) == nil)
    }

    @Test func removedSeriesCostNoMemory() {
        var places = SeriesPlaces()
        let long = String(repeating: "x", count: 1000)
        let kept = places.insert(place(), as: Array("kept".utf8))
        add("kept, otherwise", of: kept, to: &places)
        for round in 0..<5000 {
            let number = places.insert(place(), as: Array("\(round)\(long)".utf8))
            #expect(number == 1)
            places.remove(number)
        }
        #expect(find("kept", in: places) == kept)
        #expect(find("kept, otherwise", in: places) == kept)
        #expect(places.byteCount < 3 << 20)
    }

    /// Compared with a dictionary over random insertions and removals.
    @Test func agreesWithADictionary() {
        var generator = SeededGenerator(seed: 11)
        var places = SeriesPlaces()
        var expected: [String: Int] = [:]
        for _ in 0..<20_000 {
            let text = "series \(Int.random(in: 0..<800, using: &generator))"
            #expect(find(text, in: places) == expected[text])
            if let number = expected[text] {
                guard Bool.random(using: &generator) else { continue }
                places.remove(number)
                expected = expected.filter { $0.value != number }
            } else {
                let number = places.insert(place(), as: Array(text.utf8))
                #expect(!expected.values.contains(number))
                expected[text] = number
                let other = "\(text), spelled \(Int.random(in: 0..<2, using: &generator))"
                add(other, of: number, to: &places)
                expected[other] = number
            }
        }
        #expect(places.spellingCount == expected.count)
        #expect(places.count == Set(expected.values).count)
    }
}

@Suite struct RowOrderTests {
    /// The definition: a stable sort by lane and time.
    private func expected(_ lanes: [Int32], _ times: [Int64]) -> [Int32] {
        lanes.indices.sorted { (lanes[$0], times[$0], $0) < (lanes[$1], times[$1], $1) }.map { Int32($0) }
    }

    @Test func rowsInOrderStayAsTheyAre() {
        #expect(RowOrder.of(lanes: [], times: []) == nil)
        #expect(RowOrder.of(lanes: [3], times: [9]) == nil)
        #expect(RowOrder.of(lanes: [0, 0, 0, 2], times: [5, 5, 7, 1]) == nil)
    }

    @Test(arguments: [0, 1, 10, 3_000_000, 1 << 40, 1 << 53] as [Int64], [1, 2, 1000] as [Int32])
    func equalsAStableSort(range: Int64, lanes laneCount: Int32) {
        var generator = SeededGenerator(seed: UInt64(range) + UInt64(laneCount))
        for count in [2, 3, 50, 3000] {
            let lanes = (0..<count).map { _ in Int32.random(in: 0..<laneCount, using: &generator) }
            let times = (0..<count).map { _ in 1_700_000_000_000 - Int64.random(in: 0...range, using: &generator) }
            let order = RowOrder.of(lanes: lanes, times: times)
            #expect(order ?? (0..<Int32(count)).map { $0 } == expected(lanes, times))
        }
    }

    @Test func timesMayBeAnyNumber() {
        let times: [Int64] = [.max, .min, 0, .max, -1, .min]
        for lanes in [[0, 0, 0, 0, 0, 0], [7, 0, 7, 0, 7, 0]] as [[Int32]] {
            #expect(RowOrder.of(lanes: lanes, times: times) == expected(lanes, times))
        }
    }
}
