import JSON
import MetricModel
import PromQL
import TestSupport
import Testing
import WebCore
import WebFixture

@testable import PrometheusAPI

/// Long responses are written piece by piece. The text must not depend on where the pieces end.
@Suite struct AnswerPiecesTests {
    private static let histogram: FloatHistogram = {
        var histogram = FloatHistogram()
        histogram.count = 3
        histogram.sum = 4.5
        histogram.positiveSpans = [FloatHistogram.Span(offset: 0, length: 2)]
        histogram.positiveBuckets = [1, 2]
        return histogram
    }()

    private static func mixed(_ labels: Labels, _ kinds: String) -> SeriesSamples {
        var samples = SeriesSamples(labels: labels)
        samples.timestamps = kinds.indices.enumerated().map { Int64($0.offset) * 1500 }
        samples.values = kinds.enumerated().map { $1 == "f" ? Double($0) + 0.5 : 0 }
        samples.histograms = kinds.map { $0 == "f" ? nil : histogram }
        return samples
    }

    private static func floats(_ labels: Labels, _ count: Int) -> SeriesSamples {
        SeriesSamples(
            labels: labels, timestamps: (0..<count).map { Int64($0) * 1000 }, values: (0..<count).map { Double($0) })
    }

    private static let matrix = QueryValue.matrix([
        floats(["s": "one"], 1), mixed(["s": "two"], "fhf"), mixed(["s": "three"], "hh"), floats(["s": "long"], 700),
        mixed(["s": "four"], "ff"), floats(["s": "none"], 0),
    ])

    private static let vector = QueryValue.vector(
        (0..<40).map { index in
            VectorElement(
                labels: ["i": "\(index)"], timestamp: Timestamp(milliseconds: 1500), value: Double(index),
                histogram: index % 7 == 3 ? histogram : nil)
        })

    private func text(_ value: QueryValue, pieceSize: Int) -> (text: String, pieces: Int) {
        var writer = JSONWriter()
        var answer = QueryJSON(value) { $0.member("end", true) }
        var whole: [UInt8] = []
        var pieces = 1
        while !answer.write(to: &writer, until: pieceSize) {
            var piece: [UInt8] = []
            writer.drain(into: &piece)
            whole += piece
            pieces += 1
        }
        writer.drain(into: &whole)
        return (String(decoding: whole, as: UTF8.self), pieces)
    }

    @Test(arguments: [1, 17, 200, 4096])
    func textDoesNotDependOnTheSizeOfThePieces(size: Int) throws {
        for value in [Self.matrix, Self.vector, .vector([]), .matrix([]), .scalar(1, Timestamp(milliseconds: 5))] {
            let whole = text(value, pieceSize: .max)
            #expect(whole.pieces == 1)
            let split = text(value, pieceSize: size)
            #expect(split.text == whole.text)
            let parsed = try JSON(parsing: Array(whole.text.utf8))
            #expect(parsed["end"] == true)
        }
        #expect(text(Self.matrix, pieceSize: 17).pieces > 6)
    }

    @Test func floatsAndHistogramsStandApart() throws {
        let answer = try JSON(parsing: Array(text(Self.matrix, pieceSize: .max).text.utf8))
        let series = try #require(answer["result"]?.elements)
        #expect(series.map { $0["values"]?.elements?.count } == [1, 2, nil, 700, 2, nil])
        #expect(series.map { $0["histograms"]?.elements?.count } == [nil, 1, 2, nil, nil, nil])
        #expect(series[1]["values"]?.encoded == #"[[0,"0.5"],[3,"2.5"]]"#)
        #expect(series[5].encoded == #"{"metric":{"s":"none"}}"#)
    }

    @Test func longAnswersArriveWholeWithWhatComesAfterTheData() throws {
        let fixture = try WebFixture()
        for index in 0..<30 {
            try fixture.append(["__name__": "m", "i": "\(index)"], (0..<300).map { Double($0 * index) })
        }
        let target = "/api/v1/query_range?query=rate(m[1m])&start=0&end=4485&step=5&stats=yes&limit=29"
        let answer = try JSON(parsing: fixture.text(target, headers: [("Accept-Encoding", "identity")]))
        let series = try #require(answer["data"]?["result"]?.elements)
        #expect(series.count == 29)
        #expect(series.allSatisfy { ($0["values"]?.elements?.count ?? 0) > 880 })
        #expect(answer["data"]?["stats"]?["samples"] != nil)
        #expect(answer["warnings"]?.elements?.count == 2)
        #expect(answer["infos"]?.elements?.count == 1)
        let plain = try fixture.text("/api/v1/series?match[]=m", headers: [])
        #expect(try JSON(parsing: plain)["data"]?.elements?.count == 30)
    }
}
