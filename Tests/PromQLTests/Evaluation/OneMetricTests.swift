import MetricModel
import MetricStore
import PromQL
import Testing

/// Series of one metric remain distinct without their names, unless other labels are removed with the name.
@Suite struct OneMetricTests {
    private func store(_ series: [Labels]) throws -> MetricStore {
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let lane = try store.openLane("lane")
        let slots = try series.map { try lane.slot(for: $0) }
        for second in 1...4 {
            var row = lane.beginAppend(at: Timestamp(milliseconds: Int64(second) * 15_000))
            for (number, slot) in slots.enumerated() { row.append(slot, Double(second * (number + 1))) }
            try row.commit()
        }
        return store
    }

    private func values(_ text: String, _ store: MetricStore) throws -> [String: Double] {
        let expression = try PromQL.Expression.parse(text, features: .all)
        let result = try QueryEngine().instant(expression, at: Timestamp(milliseconds: 60_000), from: store)
        guard case .vector(let elements) = result.value else { return [:] }
        #expect(Set(elements.map(\.labels)).count == elements.count, "\(text)")
        return Dictionary(elements.map { ($0.labels.description, $0.value) }) { first, _ in first }
    }

    @Test(arguments: ["max_over_time(m[1m])", "abs(m)", "-m", "m * 1"])
    func seriesThatOnlyTheUnitTellsApartBecomeEqual(text: String) throws {
        let store = try store([
            ["__name__": "m", "a": "1"], ["__name__": "m", "__unit__": "seconds", "a": "1"],
        ])
        #expect(throws: QueryError.execution("vector cannot contain metrics with the same labelset")) {
            _ = try values(text, store)
        }
    }

    @Test(arguments: ["max_over_time({a=\"1\"}[1m])", "abs({a=\"1\"})"])
    func seriesThatOnlyTheNameTellsApartBecomeEqual(text: String) throws {
        let store = try store([["__name__": "m", "a": "1"], ["__name__": "n", "a": "1"]])
        #expect(throws: QueryError.execution("vector cannot contain metrics with the same labelset")) {
            _ = try values(text, store)
        }
    }

    @Test func matchingRowsAreFoundInAnyOrder() throws {
        let store = try store([
            ["__name__": "m", "a": "1"], ["__name__": "m", "a": "2"], ["__name__": "m", "a": "3"],
            ["__name__": "n", "a": "3"], ["__name__": "n", "a": "1"], ["__name__": "n", "b": "2"],
        ])
        #expect(try values("m / m", store) == ["{a=\"1\"}": 1, "{a=\"2\"}": 1, "{a=\"3\"}": 1])
        #expect(try values("n / m", store) == ["{a=\"1\"}": 5, "{a=\"3\"}": 4.0 / 3])
        #expect(try values("m and n", store) == ["m{a=\"1\"}": 4, "m{a=\"3\"}": 12])
        #expect(try values("m unless n", store) == ["m{a=\"2\"}": 8])
        #expect(try values("m or n", store).count == 4)
    }

    @Test func rowsThatBecomeEqualShareTheirPartner() throws {
        let store = try store([
            ["__name__": "m", "a": "1"], ["__name__": "k", "a": "1"], ["__name__": "n", "a": "1"],
        ])
        #expect(try values("{__name__=~\"m|k\"} and n", store) == ["m{a=\"1\"}": 4, "k{a=\"1\"}": 8])
        #expect(try values("n unless {__name__=~\"m|k\"}", store) == [:])
    }

    @Test func bucketsOfSeveralHistogramsMayStandAnywhere() throws {
        var series: [Labels] = []
        for le in ["+Inf", "1", "2"] {
            for a in ["x", "y"] { series.append(["__name__": "h_bucket", "a": a, "le": le]) }
        }
        let store = try store(series)
        // At the end x counts 4 of all, 12 up to 1 and 20 up to 2, which monotony makes 12, 20 and 20.
        #expect(
            try values("histogram_quantile(0.5, h_bucket)", store)
                == ["{a=\"x\"}": 10.0 / 12, "{a=\"y\"}": 12.0 / 16])
    }
}
