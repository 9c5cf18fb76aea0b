internal import JSON
internal import MetricModel
internal import TLS

/// A message of OTLP with metrics, `ExportMetricsServiceRequest`. A value.
///
/// Both encodings are read into it: see ``init(protobuf:)`` and ``init(json:)``.
package struct TelemetryMetrics: Equatable {
    var resources: [TelemetryResource] = []
}

/// `ResourceMetrics`: the metrics of one source. A value.
struct TelemetryResource: Equatable {
    var attributes: [TelemetryAttribute] = []
    var scopes: [TelemetryScope] = []
}

/// `ScopeMetrics`: the metrics of one instrumentation library. A value.
struct TelemetryScope: Equatable {
    var name = ""
    var version = ""
    var schemaURL = ""
    var attributes: [TelemetryAttribute] = []
    var metrics: [TelemetryMetric] = []
}

/// `Metric`: a name with its data points. A value.
struct TelemetryMetric: Equatable {
    /// `AggregationTemporality`
    enum Temporality: UInt64 {
        case unspecified = 0
        /// Each point counts since the previous one.
        case delta = 1
        /// Each point counts since the start.
        case cumulative = 2
    }

    enum Points: Equatable {
        /// No data, or data of an unknown kind.
        case none
        case gauge([TelemetryNumber])
        case sum([TelemetryNumber], Temporality, isMonotonic: Bool)
        case histogram([TelemetryHistogram], Temporality)
        case exponential([TelemetryExponentialHistogram], Temporality)
        case summary([TelemetrySummary])

        /// The number of data points.
        var count: Int {
            switch self {
            case .none: 0
            case .gauge(let points), .sum(let points, _, _): points.count
            case .histogram(let points, _): points.count
            case .exponential(let points, _): points.count
            case .summary(let points): points.count
            }
        }

        /// `nil` for kinds without.
        var temporality: Temporality? {
            switch self {
            case .none, .gauge, .summary: nil
            case .sum(_, let temporality, _), .histogram(_, let temporality), .exponential(_, let temporality):
                temporality
            }
        }
    }

    var name = ""
    var description = ""
    var unit = ""
    var points = Points.none
}

/// The common part of all data points. A value.
struct TelemetryPoint: Equatable {
    var attributes: [TelemetryAttribute] = []
    /// Nanoseconds since 1970; 0 if it is unknown.
    var start: UInt64 = 0
    /// Nanoseconds since 1970.
    var time: UInt64 = 0
    /// Whether the series has ended.
    var hasNoValue = false
    var exemplars: [TelemetryExemplar] = []

    /// `DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`
    static let noValueFlag: UInt64 = 1

    /// Milliseconds since 1970.
    var milliseconds: Int64 { Int64(time / 1_000_000) }
    var startMilliseconds: Int64 { Int64(start / 1_000_000) }
}

/// `NumberDataPoint`. A value.
struct TelemetryNumber: Equatable {
    var point = TelemetryPoint()
    var value = 0.0
}

/// `HistogramDataPoint`. A value.
struct TelemetryHistogram: Equatable {
    var point = TelemetryPoint()
    var count: UInt64 = 0
    var sum: Double?
    var bucketCounts: [UInt64] = []
    var bounds: [Double] = []
}

/// `ExponentialHistogramDataPoint`. A value.
struct TelemetryExponentialHistogram: Equatable {
    struct Buckets: Equatable {
        var offset: Int32 = 0
        var counts: [UInt64] = []
    }

    var point = TelemetryPoint()
    var count: UInt64 = 0
    var sum: Double?
    var scale: Int32 = 0
    var zeroCount: UInt64 = 0
    var positive = Buckets()
    var negative = Buckets()
}

/// `SummaryDataPoint`. A value.
struct TelemetrySummary: Equatable {
    struct Quantile: Equatable {
        var quantile = 0.0
        var value = 0.0
    }

    var point = TelemetryPoint()
    var count: UInt64 = 0
    var sum = 0.0
    var quantiles: [Quantile] = []
}

/// `Exemplar`. A value.
struct TelemetryExemplar: Equatable {
    var attributes: [TelemetryAttribute] = []
    var time: UInt64 = 0
    /// `nil` if the message has none.
    var value: Double?
    /// Hexadecimal; empty if there is none.
    var traceID = ""
    var spanID = ""
}

/// `KeyValue`, with the value as text. A value.
struct TelemetryAttribute: Equatable {
    var key: String
    var value: String

    /// The text of a value, as OpenTelemetry's collector writes it: texts as they are, numbers and booleans as in JSON,
    /// lists and maps as JSON with sorted keys.
    static func text(of value: JSON) -> String {
        switch value {
        case .null: ""
        case .string(let text): text
        case .bool, .integer: value.encoded
        case .number(let number): Self.number(number)
        case .array, .object: nested(value)
        }
    }

    /// Go's encoder of JSON writes no zero before a single digit of a negative exponent.
    private static func number(_ value: Double) -> String {
        let text = FloatText.json(value)
        guard text.utf8.dropLast().suffix(3).elementsEqual("e-0".utf8) else { return text }
        return String(text.dropLast(2)) + String(text.suffix(1))
    }

    /// As Go's encoder, whose texts may stand in HTML.
    private static func nested(_ value: JSON) -> String {
        var writer = JSONWriter(sortsMembers: true)
        writer.write(value)
        var text: [UInt8] = []
        for byte in writer.bytes {
            switch byte {
            case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"):
                text += Array("\\u00".utf8) + Array(Hexadecimal.text([byte]).utf8)
            default: text.append(byte)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
