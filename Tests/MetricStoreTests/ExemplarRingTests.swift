import MetricModel
import TestSupport
import Testing

@testable import MetricStore

@Suite struct ExemplarRingTests {
    private func exemplar(_ id: String, _ value: Double, at seconds: Double?) -> Exemplar {
        Exemplar(labels: ["id": id], value: value, timestamp: seconds.map { Timestamp(seconds: $0) })
    }

    private func all(_ ring: ExemplarRing) -> [String] {
        ring.select(from: .distantPast, through: .distantFuture) { _ in true }.map { labels, exemplars in
            "\(labels): "
                + exemplars.map { "\($0.labels["id"] ?? "")@\($0.timestamp?.seconds ?? -1)" }
                .joined(separator: " ")
        }
    }

    @Test func exemplarsOfASeriesAscend() {
        var ring = ExemplarRing(capacity: 10)
        let time = Timestamp(seconds: 100)
        func append(_ exemplar: Exemplar) -> ExemplarOutcome { ring.append(exemplar, of: ["s": "1"], sampleTime: time) }
        #expect(append(exemplar("a", 1, at: 10)) == .appended)
        #expect(append(exemplar("a", 1, at: 10)) == .duplicate)
        #expect(append(exemplar("a", 0.5, at: 10)) == .outOfOrder, "of two at one time the greater comes later")
        #expect(append(exemplar("a", 2, at: 9)) == .outOfOrder)
        #expect(append(exemplar("b", 1, at: 10)) == .appended)
        #expect(append(exemplar("a", 1, at: 10)) == .outOfOrder)
        #expect(append(exemplar(String(repeating: "ü", count: 126), 1, at: 11)) == .appended)
        #expect(append(exemplar(String(repeating: "ü", count: 127), 1, at: 12)) == .tooLong)
        #expect(ring.count == 3)
    }

    @Test func withoutATimeItIsTheSamples() {
        var ring = ExemplarRing(capacity: 10)
        #expect(ring.append(exemplar("a", 1, at: nil), of: ["s": "1"], sampleTime: Timestamp(seconds: 5)) == .appended)
        #expect(ring.append(exemplar("a", 1, at: nil), of: ["s": "1"], sampleTime: Timestamp(seconds: 6)) == .duplicate)
        #expect(ring.append(exemplar("b", 1, at: nil), of: ["s": "1"], sampleTime: Timestamp(seconds: 7)) == .appended)
        #expect(all(ring) == ["{s=\"1\"}: a@5.0 b@7.0"])
    }

    @Test func theOldestGoFirst() {
        var ring = ExemplarRing(capacity: 3)
        for (index, series) in ["x", "y", "x", "x", "x"].enumerated() {
            let outcome = ring.append(
                exemplar("\(index)", 1, at: Double(index)), of: ["s": series], sampleTime: .distantPast)
            #expect(outcome == .appended)
        }
        #expect(all(ring) == ["{s=\"x\"}: 2@2.0 3@3.0 4@4.0"])
        #expect(ring.seriesCount == 1)
        #expect(all(ring.resized(to: 2)) == ["{s=\"x\"}: 3@3.0 4@4.0"])
        #expect(all(ring.resized(to: 0)) == [])
        var none = ExemplarRing(capacity: 0)
        #expect(none.append(exemplar("a", 1, at: 1), of: ["s": "1"], sampleTime: .distantPast) == .disabled)
    }

    @Test func randomRingsAgreeWithAList() {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<200 {
            let capacity = Int.random(in: 1...8, using: &generator)
            var ring = ExemplarRing(capacity: capacity)
            var list: [(series: String, id: String, time: Double)] = []
            for step in 0..<60 {
                let series = "\(Int.random(in: 0..<5, using: &generator))"
                let time = Double(step / 3)
                guard
                    ring.append(
                        exemplar("\(step)", Double(step), at: time), of: ["s": series], sampleTime: .distantPast)
                        == .appended
                else {
                    Issue.record("exemplars that ascend are taken")
                    return
                }
                list.append((series, "\(step)", time))
                if list.count > capacity { list.removeFirst() }
                let names = Set(list.map(\.series)).sorted()
                let wanted = names.map { name in
                    "{s=\"\(name)\"}: "
                        + list.filter { $0.series == name }.map { "\($0.id)@\($0.time)" }.joined(separator: " ")
                }
                #expect(all(ring) == wanted)
            }
            // Everything overwritten by one series leaves the room that one series takes.
            var alone = ExemplarRing(capacity: capacity)
            for step in 0..<capacity {
                _ = ring.append(
                    exemplar("1\(step)", 1, at: 1000 + Double(step)), of: ["s": "z"], sampleTime: .distantPast)
                _ = alone.append(
                    exemplar("1\(step)", 1, at: 1000 + Double(step)), of: ["s": "z"], sampleTime: .distantPast)
            }
            #expect(ring.byteCount == alone.byteCount)
        }
    }

    @Test func matchersAndTimesChoose() throws {
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let lane = try store.openLane("a")
        let slots = [
            try lane.slot(for: ["__name__": "a", "x": "1"]), try lane.slot(for: ["__name__": "b", "x": "2"]),
        ]
        lane.append(
            exemplars: [
                (slots[0], exemplar("p", 1, at: 1)), (slots[0], exemplar("q", 1, at: 2)),
                (slots[1], exemplar("r", 1, at: 3)),
            ], at: Timestamp(seconds: 9))
        func found(_ lists: [[Matcher]], _ from: Double, _ through: Double) throws -> [String] {
            try store.exemplars(
                matching: lists, from: Timestamp(seconds: from), through: Timestamp(seconds: through)
            ).flatMap { series in series.exemplars.map { "\(series.labels["x"] ?? "")\($0.labels["id"] ?? "")" } }
        }
        #expect(try found([[Matcher("__name__", .equal, "a")]], 0, 9) == ["1p", "1q"])
        #expect(try found([[Matcher("__name__", .equal, "a")]], 2, 9) == ["1q"])
        #expect(try found([[Matcher("x", .regex, "[12]")]], 1, 3) == ["1p", "1q", "2r"])
        #expect(
            try found([[Matcher("x", .equal, "1"), Matcher("y", .equal, "")], [Matcher("x", .equal, "2")]], 2, 2)
                == ["1q"])
        #expect(try found([[Matcher("x", .notEqual, "")]], 4, 9) == [])
        store.keepExemplars(1)
        #expect(try found([[Matcher("x", .notEqual, "")]], 0, 9) == ["2r"])
    }
}
