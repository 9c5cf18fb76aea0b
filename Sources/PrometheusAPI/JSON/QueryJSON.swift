internal import JSON
internal import MetricModel
internal import PromQL
internal import WebCore

/// The value of a query as the members `resultType` and `result` of an object, and the end of that object.
struct QueryJSON: IncrementalJSON {
    private enum Part {
        case single(QueryValue)
        case list(any IncrementalJSON)
    }

    private let type: ValueType
    private var part: Part
    private let end: @Sendable (inout JSONWriter) -> Void
    private var isBegun = false

    /// - Parameter end: writes the members after the result.
    init(_ value: QueryValue, end: @escaping @Sendable (inout JSONWriter) -> Void) {
        type = value.type
        self.end = end
        switch value {
        case .scalar, .string: part = .single(value)
        case .vector(let elements): part = .list(IncrementalJSONList(elements[...]) { Self.write($1, into: &$0) })
        case .matrix(let series): part = .list(MatrixPieces(series))
        }
    }

    mutating func write(to writer: inout JSONWriter, until size: Int) -> Bool {
        if !isBegun {
            isBegun = true
            writer.beginObject()
            writer.member("resultType", type.rawValue)
            writer.name("result")
        }
        switch part {
        case .single(let value): Self.write(value, into: &writer)
        case .list(var pieces):
            let isWhole = pieces.write(to: &writer, until: size)
            part = .list(pieces)
            guard isWhole else { return false }
        }
        end(&writer)
        writer.endObject()
        return true
    }

    private static func write(_ value: QueryValue, into writer: inout JSONWriter) {
        switch value {
        case .scalar(let number, let time):
            writer.raw { SampleText.append(point: time.milliseconds, number, to: &$0) }
        case .string(let text, let time):
            writer.beginArray()
            writer.raw { SampleText.append(time: time.milliseconds, to: &$0) }
            writer.string(text)
            writer.endArray()
        case .vector, .matrix: writer.null()
        }
    }

    private static func write(_ element: VectorElement, into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("metric", element.labels)
            if let histogram = element.histogram {
                writer.name("histogram")
                HistogramJSON.write(histogram, at: element.timestamp.milliseconds, into: &writer)
            } else {
                writer.name("value")
                writer.raw { SampleText.append(point: element.timestamp.milliseconds, element.value, to: &$0) }
            }
        }
    }
}

/// Series with their points: first the floats of each, then its histograms.
struct MatrixPieces: IncrementalJSON {
    private enum Place {
        case start
        /// Before the series.
        case series(Int)
        /// In the floats of a series, before the sample with the second index.
        case floats(Int, Int)
        case histograms(Int, Int)
    }

    private let series: [SeriesSamples]
    private var place = Place.start

    init(_ series: [SeriesSamples]) {
        self.series = series
    }

    /// The number of points between checks of the size.
    private static let stride = 256

    mutating func write(to writer: inout JSONWriter, until size: Int) -> Bool {
        while writer.bytes.count < size {
            switch place {
            case .start:
                writer.beginArray()
                place = .series(0)
            case .series(let row):
                guard row < series.count else {
                    writer.endArray()
                    return true
                }
                writer.beginObject()
                writer.member("metric", series[row].labels)
                place = begin(row, &writer)
            case .floats(let row, let next): place = writeFloats(row, next, &writer)
            case .histograms(let row, let next):
                let samples = series[row]
                if let index = (next..<samples.histograms.count).first(where: { samples.histograms[$0] != nil }),
                    let histogram = samples.histograms[index]
                {
                    HistogramJSON.write(histogram, at: samples.timestamps[index], into: &writer)
                    place = .histograms(row, index + 1)
                } else {
                    writer.endArray()
                    place = end(row, &writer)
                }
            }
        }
        return false
    }

    private func begin(_ row: Int, _ writer: inout JSONWriter) -> Place {
        let samples = series[row]
        let hasFloats = samples.histograms.isEmpty ? samples.count > 0 : samples.histograms.contains { $0 == nil }
        guard hasFloats else { return beginHistograms(row, &writer) }
        writer.name("values")
        writer.beginArray()
        return .floats(row, 0)
    }

    private func beginHistograms(_ row: Int, _ writer: inout JSONWriter) -> Place {
        guard series[row].histograms.contains(where: { $0 != nil }) else { return end(row, &writer) }
        writer.name("histograms")
        writer.beginArray()
        return .histograms(row, 0)
    }

    private func end(_ row: Int, _ writer: inout JSONWriter) -> Place {
        writer.endObject()
        return .series(row + 1)
    }

    private func writeFloats(_ row: Int, _ start: Int, _ writer: inout JSONWriter) -> Place {
        let samples = series[row]
        let stop = min(samples.count, start + Self.stride)
        if samples.histograms.isEmpty {
            writer.raw { bytes in
                for index in start..<stop {
                    if index > start { bytes.append(UInt8(ascii: ",")) }
                    SampleText.append(point: samples.timestamps[index], samples.values[index], to: &bytes)
                }
            }
        } else {
            for index in start..<stop where samples.histograms[index] == nil {
                writer.raw { SampleText.append(point: samples.timestamps[index], samples.values[index], to: &$0) }
            }
        }
        if stop < samples.count { return .floats(row, stop) }
        writer.endArray()
        return beginHistograms(row, &writer)
    }
}
