import JSON
import MetricModel
import PromQL
import Testing
import WebCore

@testable import PrometheusAPI

@Suite struct SampleTextTests {
    private func text(_ write: (inout [UInt8]) -> Void) -> String {
        var bytes: [UInt8] = []
        write(&bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: [
        (0, "0"), (1, "0.001"), (1_435_781_451_781, "1435781451.781"), (1_435_781_451_050, "1435781451.050"),
        (1_435_781_460_000, "1435781460"), (-1500, "-1.500"), (.min, "-9223372036854775.808"),
        (.max, "9223372036854775.807"),
    ])
    func timesHaveThreeDecimalsOrNone(milliseconds: Int64, expected: String) {
        #expect(text { SampleText.append(time: milliseconds, to: &$0) } == expected)
    }

    @Test(arguments: [
        (0, "0"), (-0.0, "-0"), (1, "1"), (-17, "-17"), (0.1, "0.1"), (-2.5, "-2.5"), (1e-4, "0.0001"),
        (1.5e-5, "0.000015"), (1e-6, "0.000001"), (9.9e-7, "9.9e-07"), (1e-7, "1e-07"), (0x1p53, "9007199254740992"),
        (1e16, "10000000000000000"), (123_456_789_012_345_680, "123456789012345680"), (1e20, "100000000000000000000"),
        (1e21, "1e+21"), (-1.5e300, "-1.5e+300"), (4503599627370495.5, "4503599627370495.5"), (.nan, "NaN"),
        (.infinity, "+Inf"), (-.infinity, "-Inf"), (.leastNonzeroMagnitude, "5e-324"),
        (0.30000000000000004, "0.30000000000000004"),
    ])
    func valuesAreInTheShortestForm(value: Double, expected: String) {
        #expect(text { SampleText.append(value: value, to: &$0) } == expected)
    }

    @Test func valuesAgreeWithTheSlowForm() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let value = Double(bitPattern: generator.next())
            #expect(text { SampleText.append(value: value, to: &$0) } == FloatText.json(value))
            let near = Double(Int64.random(in: -1_000_000...1_000_000)) / 1000
            #expect(text { SampleText.append(value: near, to: &$0) } == FloatText.json(near))
        }
    }

    private func json(_ value: QueryValue) -> String {
        var writer = JSONWriter()
        var answer = QueryJSON(value) { _ in }
        #expect(answer.write(to: &writer, until: .max))
        return writer.text
    }

    @Test func everyKindOfResultHasItsShape() {
        let at = Timestamp(milliseconds: 1500)
        #expect(json(.scalar(2.5, at)) == #"{"resultType":"scalar","result":[1.500,"2.5"]}"#)
        #expect(json(.string("a\"b", at)) == #"{"resultType":"string","result":[1.500,"a\"b"]}"#)
        #expect(json(.vector([])) == #"{"resultType":"vector","result":[]}"#)
        #expect(
            json(.vector([VectorElement(labels: ["b": "2", "__name__": "m", "a": "1"], timestamp: at, value: .nan)]))
                == #"{"resultType":"vector","result":[{"metric":{"__name__":"m","a":"1","b":"2"},"value":[1.500,"NaN"]}]}"#
        )
        #expect(
            json(.matrix([SeriesSamples(labels: [:], timestamps: [0, 1000], values: [1, 0.5])]))
                == #"{"resultType":"matrix","result":[{"metric":{},"values":[[0,"1"],[1,"0.5"]]}]}"#)
    }

    @Test func histogramsAreWrittenFromTheMostNegativeBucket() {
        var histogram = FloatHistogram()
        histogram.schema = 0
        histogram.zeroThreshold = 0.001
        histogram.zeroCount = 2
        histogram.count = 9
        histogram.sum = 3.5
        histogram.positiveSpans = [.init(offset: 0, length: 2), .init(offset: 1, length: 1)]
        histogram.positiveBuckets = [1, 0, 3]
        histogram.negativeSpans = [.init(offset: 1, length: 2)]
        histogram.negativeBuckets = [2, 1]
        let series = SeriesSamples(
            labels: ["a": "b"], timestamps: [1000, 2000], values: [7, 0], histograms: [nil, histogram])
        #expect(
            json(.matrix([series]))
                == #"{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[1,"7"]],"histograms":[[2,{"#
                + #""count":"9","sum":"3.5","buckets":[[1,"-4","-2","1"],[1,"-2","-1","2"],[3,"-0.001","0.001","2"],"#
                + #"[0,"0.5","1","1"],[0,"4","8","3"]]}]]}]}"#)
    }

    @Test func customBucketsBeginAtMinusInfinity() {
        var histogram = FloatHistogram()
        histogram.schema = FloatHistogram.customBucketsSchema
        histogram.count = 6
        histogram.customValues = [0.1, 1]
        histogram.positiveSpans = [.init(offset: 0, length: 3)]
        histogram.positiveBuckets = [1, 2, 3]
        var writer = JSONWriter()
        HistogramJSON.write(histogram, into: &writer)
        #expect(
            writer.text
                == #"{"count":"6","sum":"0","buckets":[[3,"-Inf","0.1","1"],[0,"0.1","1","2"],[0,"1","+Inf","3"]]}"#)
    }

    @Test func boundsStayFiniteAtTheEndsOfTheRange() {
        var histogram = FloatHistogram()
        histogram.schema = -4
        histogram.count = 1
        histogram.positiveSpans = [.init(offset: 64, length: 1)]
        histogram.positiveBuckets = [1]
        var writer = JSONWriter()
        HistogramJSON.write(histogram, into: &writer)
        #expect(writer.text.contains(#""1.7976931348623157e+308","1"]"#))
        for offset in [Int32.min, .max] {
            histogram.positiveSpans = [.init(offset: offset, length: 1)]
            for schema in [Int32.min, -4, 0, 8, .max] {
                histogram.schema = schema
                HistogramJSON.write(histogram, into: &writer)
            }
        }
    }
}
