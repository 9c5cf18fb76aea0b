import MetricModel
import PromQL

/// Evaluation of any valid expression, over a few series of every kind.
///
/// The first three bytes choose options, time and step; the rest is the expression.
enum EvaluationFuzzing {
    static func finding(in bytes: [UInt8]) -> String? {
        // Expressions that do not parse are checked by another target.
        guard bytes.count > 3,
            let expression = try? Expression.parse(utf8: Array(bytes[3...]), features: .all)
        else { return nil }
        var options = EngineOptions()
        options.maximumSamples = 20_000
        options.timeout = Milliseconds(rawValue: 2000)
        options.delayedNameRemoval = bytes[0] & 1 != 0
        options.useStartTimestamps = bytes[0] & 2 != 0
        options.typeAndUnitLabels = bytes[0] & 4 != 0
        let moment = Timestamp(milliseconds: Int64(bytes[1]) * 7001)
        let step = Milliseconds(rawValue: Int64(bytes[2]) * 1003 + 1)
        let engine = QueryEngine(options: options)
        do {
            let value = try engine.instant(expression, at: moment, from: samples).value
            if let finding = finding(in: value) { return "\(expression): \(finding)" }
            let matrix = try engine.range(expression, start: moment, end: moment + step * 5, step: step, from: samples)
            return finding(in: matrix.value).map { "\(expression): \($0)" }
        } catch {
            return error.description.isEmpty ? "\(expression): an error without text" : nil
        }
    }

    /// No label set may occur twice, and ranges must be sorted.
    private static func finding(in value: QueryValue) -> String? {
        switch value {
        case .scalar, .string: return nil
        case .vector(let elements):
            return Set(elements.map(\.labels)).count == elements.count ? nil : "two elements with the same labels"
        case .matrix(let series):
            for (former, next) in zip(series, series.dropFirst()) where !(former.labels < next.labels) {
                return "\(former.labels) stands before \(next.labels)"
            }
            for one in series where !zip(one.timestamps, one.timestamps.dropFirst()).allSatisfy({ $0 < $1 }) {
                return "the samples of \(one.labels) are not in order"
            }
            return nil
        }
    }

    private static let samples: MemorySource = {
        let source = MemorySource()
        for line in lines {
            guard let notation = try? SeriesNotation(parsing: line) else {
                preconditionFailure("not a series: \(line)")
            }
            source.append(notation, interval: .minutes(1))
        }
        return source
    }()

    private static let lines = [
        #"c_total{x="1"} 0+3x10 2+5x10"#, #"c_total{x="2"} 1 _ NaN 4 stale 6 -Inf 7 Inf _x3 1e308x4"#,
        #"g{x="1",instance="i",job="j"} -5+1x20"#, #"g{x="2",instance="i",job="k"} 5-1x20"#,
        #"target_info{instance="i",job="j",data="d"} 1x20"#,
        #"h_bucket{le="0.1",x="1"} 0+1x20"#, #"h_bucket{le="1",x="1"} 0+3x20"#, #"h_bucket{le="+Inf",x="1"} 0+2x20"#,
        #"n{x="1"} {{schema:1 count:5 sum:4 z_bucket:1 z_bucket_w:0.01 buckets:[1 2] n_buckets:[1]}}x9"#,
        #"n{x="2"} {{schema:0 count:2 sum:NaN buckets:[1]}} _ {{schema:3 count:1 buckets:[0 1] offset:-9}}x9"#,
        #"n{x="3"} {{counter_reset_hint:gauge count:-3 sum:-Inf buckets:[-1 -2]}}x9 stale {{}}"#,
        #"nc{x="1"} {{schema:-53 custom_values:[1 2 5] count:6 sum:9 buckets:[1 2 3]}}x5 {{schema:-53 custom_values:[2]}}x5"#,
        #"m{x="1"} 1 {{count:1 sum:2 buckets:[1]}} 3 {{schema:-53 custom_values:[1] count:1 buckets:[1]}} 5 stale 7x9"#,
        #"m{x="2"} {{schema:8 offset:2147483647 buckets:[1 1] count:2}} {{schema:-4 offset:-2147483648 buckets:[1]}}x4 -0"#,
    ]
}
