public import JSON
internal import MetricModel
internal import Runtime

/// A finished load test for people and programs. A value.
public struct LoadReport: Equatable, Sendable {
    /// The load that was sent.
    public let plan: LoadPlan
    /// The measurements.
    public let result: LoadResult
    /// When it began, in milliseconds since the epoch.
    public let began: Int64

    /// A report.
    public init(_ plan: LoadPlan, _ result: LoadResult, began: Int64) {
        self.plan = plan
        self.result = result
        self.began = began
    }

    /// The thresholds that do not hold.
    public var violations: [LoadThreshold] { plan.thresholds.filter { !$0.holds(in: result) } }

    static let quantiles: [(name: String, share: Double)] = [
        ("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999),
    ]

    /// Everything but the plots.
    public var json: JSON {
        [
            "format": "tribune-loadtest/1", "began": .string(RFC3339.text(milliseconds: began)),
            "seconds": .number(result.seconds), "connections": .integer(Int64(plan.connections)),
            "total": Self.json(result.total, result.seconds),
            "targets": .array(result.parts.map { Self.json($0, result.seconds) }),
            "thresholds": .array(
                plan.thresholds.map { threshold in
                    [
                        "threshold": .string(threshold.description),
                        "value": threshold.value(in: result).map { .number($0) } ?? .null,
                        "holds": .bool(threshold.holds(in: result)),
                    ]
                }),
            "timeline": .array(
                result.timeline.map { second in
                    [
                        "due": .integer(Int64(clamping: second.due)), "ended": .integer(Int64(clamping: second.ended)),
                        "failed": .integer(Int64(clamping: second.failed)),
                        "p50_seconds": .number(Double(second.median) / 1e9),
                        "p99_seconds": .number(Double(second.p99) / 1e9),
                        "max_seconds": .number(Double(second.maximum) / 1e9),
                    ]
                }),
        ]
    }

    private static func json(_ part: LoadResult.Part, _ seconds: Double) -> JSON {
        func latencies(_ histogram: LatencyHistogram) -> JSON {
            let values = quantiles.map { JSON.Member($0.name, .number(Double(histogram.quantile($0.share)) / 1e9)) }
            return .object(
                values + [
                    .init("min", .number(Double(histogram.minimum) / 1e9)),
                    .init("mean", .number(histogram.mean / 1e9)),
                    .init("max", .number(Double(histogram.maximum) / 1e9)),
                ])
        }
        return [
            "name": .string(part.name), "requests": .integer(Int64(clamping: part.requests)),
            "succeeded": .integer(Int64(clamping: part.succeeded)),
            "failed": .integer(Int64(clamping: part.failed)),
            "rate": .number(seconds > 0 ? Double(part.succeeded) / seconds : 0),
            "hash_checked": .integer(Int64(clamping: part.hashChecked)),
            "hash_mismatches": .integer(Int64(clamping: part.hashMismatches)),
            "failures": .object(
                part.failures.sorted { $0.key < $1.key }.map { .init($0.key, .integer(Int64(clamping: $0.value))) }),
            "latency_seconds": latencies(part.latency), "service_time_seconds": latencies(part.serviceTime),
        ]
    }

    /// A table for a terminal.
    public var text: String {
        var lines = [
            "\(result.total.requests) requests in \(Self.number(result.seconds)) s, \(result.total.failed) failed, "
                + "\(Self.number(Double(result.total.succeeded) / max(result.seconds, 1e-9)))/s succeeded"
        ]
        let names = Self.quantiles.prefix(5).map(\.name) + ["max"]
        var rows = [["", "requests", "failed"] + names + (plan.hash == nil ? [] : ["wrong hash"])]
        for part in (result.parts.count > 1 ? result.parts : []) + [result.total] {
            let values = Self.quantiles.prefix(5).map { part.latency.quantile($0.share) } + [part.latency.maximum]
            rows.append(
                [part.name, "\(part.requests)", "\(part.failed)"] + values.map(Self.duration)
                    + (plan.hash == nil ? [] : ["\(part.hashMismatches)"]))
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            lines.append(
                row.indices.map { index in
                    let blank = String(repeating: " ", count: widths[index] - row[index].count)
                    return index == 0 ? row[index] + blank : blank + row[index]
                }.joined(separator: "  "))
        }
        for (reason, count) in result.total.failures.sorted(by: { $0.key < $1.key }) {
            lines.append("failed: \(reason): \(count)")
        }
        for threshold in plan.thresholds {
            let value = threshold.value(in: result).map { Self.text($0, threshold.measure) } ?? "nothing measured"
            lines.append("\(threshold.holds(in: result) ? "holds" : "FAILS"): \(threshold.description) (\(value))")
        }
        return lines.joined(separator: "\n")
    }

    private static func text(_ value: Double, _ measure: LoadThreshold.Measure) -> String {
        switch measure {
        case .quantile, .maximum, .mean: duration(Int64(value * 1e9))
        case .errors, .hash: "\(number(value * 100)) %"
        case .rate: "\(number(value))/s"
        }
    }

    /// Nanoseconds with a unit, in three digits.
    static func duration(_ nanoseconds: Int64) -> String {
        let value = Double(nanoseconds)
        if value >= 1e9 { return "\(number(value / 1e9)) s" }
        if value >= 1e6 { return "\(number(value / 1e6)) ms" }
        return "\(number(value / 1e3)) µs"
    }

    /// Three significant digits.
    static func number(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return FloatText.general(value) }
        var scale = 1.0
        while value.magnitude * scale < 100, scale < 1e12 { scale *= 10 }
        return FloatText.general((value * scale).rounded() / scale)
    }
}
