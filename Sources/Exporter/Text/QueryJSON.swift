internal import JSON
internal import MetricModel
internal import PromQL

/// The value of a query as the members `resultType` and `result`.
enum QueryJSON {
    static func write(_ value: QueryValue, into writer: inout JSONWriter) {
        writer.member("resultType", value.type.rawValue)
        writer.name("result")
        switch value {
        case .scalar(let number, let time):
            writer.raw { SampleText.append(point: time.milliseconds, number, to: &$0) }
        case .string(let text, let time):
            writer.beginArray()
            writer.raw { SampleText.append(time: time.milliseconds, to: &$0) }
            writer.string(text)
            writer.endArray()
        case .vector(let elements): writer.array(elements) { write($1, into: &$0) }
        case .matrix(let series):
            // Room for the longest points: what is not written to takes no memory, while growing would copy everything.
            writer.reserve(series.reduce(0) { $0 + 256 + $1.count * 40 })
            writer.array(series) { write($1, into: &$0) }
        }
    }

    private static func write(_ element: VectorElement, into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("metric", element.labels)
            if let histogram = element.histogram {
                writer.name("histogram")
                write(histogram, at: element.timestamp.milliseconds, into: &writer)
            } else {
                writer.name("value")
                writer.raw { SampleText.append(point: element.timestamp.milliseconds, element.value, to: &$0) }
            }
        }
    }

    private static func write(_ series: SeriesSamples, into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("metric", series.labels)
            let floats =
                series.histograms.isEmpty ? nil : series.histograms.indices.filter { series.histograms[$0] == nil }
            if floats.map({ !$0.isEmpty }) ?? !series.timestamps.isEmpty {
                writer.name("values")
                writer.raw { bytes in
                    bytes.append(UInt8(ascii: "["))
                    var isFirst = true
                    for index in series.timestamps.indices {
                        if floats != nil, series.histograms[index] != nil { continue }
                        if !isFirst { bytes.append(UInt8(ascii: ",")) }
                        isFirst = false
                        SampleText.append(point: series.timestamps[index], series.values[index], to: &bytes)
                    }
                    bytes.append(UInt8(ascii: "]"))
                }
            }
            let histograms = zip(series.timestamps, series.histograms).compactMap { time, histogram in
                histogram.map { (time, $0) }
            }
            if histograms.isEmpty { return }
            writer.name("histograms")
            writer.array(histograms) { write($1.1, at: $1.0, into: &$0) }
        }
    }

    private static func write(_ histogram: FloatHistogram, at time: Int64, into writer: inout JSONWriter) {
        writer.beginArray()
        writer.raw { SampleText.append(time: time, to: &$0) }
        HistogramJSON.write(histogram, into: &writer)
        writer.endArray()
    }
}
