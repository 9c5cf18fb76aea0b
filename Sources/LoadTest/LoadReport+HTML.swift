internal import Glibc
internal import MetricModel
internal import Runtime

/// The report as one page with plots, which needs nothing from outside.
extension LoadReport {
    /// The page.
    public var html: String {
        let charts = [
            ("Latency by percentile", percentileChart),
            ("Latency over time", timeChart([("p50", \.median), ("p99", \.p99), ("max", \.maximum)])),
            ("Requests per second", rateChart),
        ]
        return """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>Load test</title><style>
            body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2733}
            table{border-collapse:collapse}td,th{padding:.25rem .7rem;text-align:right;border-bottom:1px solid #d5dce4}
            td:first-child,th:first-child{text-align:left}.no{color:#b3261e;font-weight:600}svg{width:100%;height:auto}
            text{font:12px system-ui,sans-serif;fill:#445}</style></head><body>
            <h1>Load test</h1>
            <p>\(Self.escaped(RFC3339.text(milliseconds: began))): \(result.total.requests) requests in \(Self.number(result.seconds)) s,
            \(result.total.failed) failed. Latency counts from the time at which a request was due.</p>
            \(thresholdTable)
            \(partTable)
            \(charts.map { "<h2>\($0.0)</h2>\n\($0.1)" }.joined(separator: "\n"))
            </body></html>

            """
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }

    private var thresholdTable: String {
        if plan.thresholds.isEmpty { return "" }
        let rows = plan.thresholds.map { threshold in
            let isHeld = threshold.holds(in: result)
            let value = threshold.value(in: result).map(Self.number) ?? "nothing measured"
            return "<tr><td>\(Self.escaped(threshold.description))</td><td>\(value)</td>"
                + "<td\(isHeld ? ">holds" : " class=\"no\">fails")</td></tr>"
        }
        return "<table><tr><th>threshold</th><th>measured</th><th></th></tr>\(rows.joined())</table>"
    }

    private var partTable: String {
        let names = Self.quantiles.map(\.name)
        let head = (["target", "requests", "failed", "wrong hash"] + names + ["max"]).map { "<th>\($0)</th>" }
        let rows = (result.parts.count > 1 ? result.parts : []) + [result.total]
        let body = rows.map { part in
            let latencies = Self.quantiles.map { part.latency.quantile($0.share) } + [part.latency.maximum]
            let cells =
                [Self.escaped(part.name), "\(part.requests)", "\(part.failed)", "\(part.hashMismatches)"]
                + latencies.map(Self.duration)
            return "<tr>\(cells.map { "<td>\($0)</td>" }.joined())</tr>"
        }
        return "<table><tr>\(head.joined())</tr>\(body.joined())</table>"
    }

    // MARK: plots

    /// Latency against 1/(1 − share), both logarithmic: each tick of the axis is another nine.
    private var percentileChart: String {
        let histogram = result.total.latency
        guard histogram.count > 0 else { return "<p>No requests.</p>" }
        let nines = max(2, log10(Double(histogram.count)))
        let points = (0...200).map { step -> (Double, Double) in
            let x = nines * Double(step) / 200
            return (x, Double(histogram.quantile(1 - pow(10, -x))) / 1e6)
        }
        let closed = (0...200).map { step -> (Double, Double) in
            let x = nines * Double(step) / 200
            return (x, Double(result.total.serviceTime.quantile(1 - pow(10, -x))) / 1e6)
        }
        let ticks = (0...Int(nines)).map { nine -> (Double, String) in
            (Double(nine), "\(FloatText.general(100 - 100 * pow(10, -Double(nine))))%")
        }
        return Plot(
            series: [("from when it was due", points), ("from when it was sent", closed)], xTicks: ticks,
            isLogarithmic: true, unit: "ms"
        ).svg
    }

    private func timeChart(_ lines: [(String, KeyPath<LoadResult.Second, Int64>)]) -> String {
        let series = lines.map { name, value in
            (name, points { Double($0[keyPath: value]) / 1e6 })
        }
        return Plot(series: series, xTicks: timeTicks, isLogarithmic: true, unit: "ms").svg
    }

    private var rateChart: String {
        Plot(
            series: [
                ("due", points { Double($0.due) }), ("ended", points { Double($0.ended) }),
                ("failed", points { Double($0.failed) }),
            ], xTicks: timeTicks, isLogarithmic: false, unit: "/s"
        ).svg
    }

    /// At most 600 points, each of the worst second of its period.
    private func points(_ value: (LoadResult.Second) -> Double) -> [(Double, Double)] {
        let step = max(1, (result.timeline.count + 599) / 600)
        return stride(from: 0, to: result.timeline.count, by: step).map { start in
            let period = result.timeline[start..<min(start + step, result.timeline.count)]
            return (Double(result.dropped + start), period.map(value).max() ?? 0)
        }
    }

    private var timeTicks: [(Double, String)] {
        let count = result.timeline.count
        let step = max(1, (count + 5) / 6)
        return stride(from: 0, through: count, by: step).map {
            (Double(result.dropped + $0), "\(result.dropped + $0) s")
        }
    }
}

/// Lines over a common horizontal axis, as an SVG image.
private struct Plot {
    var series: [(name: String, points: [(Double, Double)])]
    var xTicks: [(Double, String)]
    var isLogarithmic: Bool
    var unit: String

    private static let colors = ["#1f6feb", "#bc4c00", "#8250df", "#1a7f37"]
    private static let (width, height, left, bottom) = (900.0, 300.0, 70.0, 30.0)

    var svg: String {
        let all = series.flatMap(\.points)
        let xs = all.map(\.0) + xTicks.map(\.0)
        guard let least = xs.min(), let most = xs.max(), let top = all.map(\.1).max() else {
            return "<p>Nothing to show.</p>"
        }
        let positive = all.map(\.1).filter { $0 > 0 }
        let low = isLogarithmic ? floor(log10(max(1e-6, positive.min() ?? 1))) : 0
        let high = isLogarithmic ? max(low + 1, ceil(log10(max(1e-6, top)))) : max(1, top * 1.05)
        func x(_ value: Double) -> Double {
            Self.left + (Self.width - Self.left) * (most > least ? (value - least) / (most - least) : 0)
        }
        func y(_ value: Double) -> Double {
            let scaled = isLogarithmic ? log10(max(value, pow(10, low))) : value
            return (Self.height - Self.bottom) * (1 - (scaled - low) / (high - low))
        }
        let steps = isLogarithmic ? Int(high - low) : 4
        let yTicks = (0...steps).map { step -> Double in
            isLogarithmic ? pow(10, low + Double(step)) : high * Double(step) / 4
        }
        var parts: [String] = []
        for value in yTicks {
            let place = number(y(value))
            parts.append(
                "<line x1=\"\(Self.left)\" x2=\"\(Self.width)\" y1=\"\(place)\" y2=\"\(place)\" stroke=\"#d5dce4\"/>")
            parts.append(
                "<text x=\"\(Self.left - 6)\" y=\"\(place)\" text-anchor=\"end\">\(LoadReport.number(value)) \(unit)</text>"
            )
        }
        for (value, label) in xTicks {
            parts.append(
                "<text x=\"\(number(x(value)))\" y=\"\(Self.height - 8)\" text-anchor=\"middle\">\(label)</text>")
        }
        for (index, line) in series.enumerated() {
            let color = Self.colors[index % Self.colors.count]
            let points = line.points.map { "\(number(x($0.0))),\(number(y($0.1)))" }.joined(separator: " ")
            parts.append("<polyline fill=\"none\" stroke=\"\(color)\" stroke-width=\"1.5\" points=\"\(points)\"/>")
            parts.append(
                "<text x=\"\(Self.left + 10)\" y=\"\(16 + 16 * index)\" style=\"fill:\(color)\">\(line.name)</text>")
        }
        return "<svg viewBox=\"0 0 \(Int(Self.width) + 30) \(Int(Self.height))\" role=\"img\">\(parts.joined())</svg>"
    }

    private func number(_ value: Double) -> String { FloatText.general((value * 10).rounded() / 10) }
}
