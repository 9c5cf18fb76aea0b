internal import MetricModel

/// Converts classic histograms (`_bucket`, `_count`, `_sum`) to native ones with custom buckets.
enum ClassicHistograms {
    /// The known parts of one histogram at one step.
    private struct Parts {
        var buckets: [(bound: Double, count: Double)] = []
        var count: Double?
        var sum: Double?
    }

    /// The native histograms among `series`, by base name and other labels.
    static func converted(_ series: [SeriesNotation]) throws(ScriptFault) -> [SeriesNotation] {
        var found: [Labels: [Int: Parts]] = [:]
        for line in series {
            guard let name = line.labels.metricName, let (base, role) = role(of: name, line.labels) else { continue }
            let labels = line.labels.dropping([Labels.metricName, role.bound == nil ? "" : "le"])
                .setting(Labels.metricName, to: base)
            for (step, value) in line.values.enumerated() {
                guard case .float(let number) = value, !number.isStaleMarker else { continue }
                var parts = found[labels]?[step] ?? Parts()
                switch role {
                case .bucket(let bound): parts.buckets.append((bound, number))
                case .count: parts.count = number
                case .sum: parts.sum = number
                }
                found[labels, default: [:]][step] = parts
            }
        }
        var result: [SeriesNotation] = []
        for (labels, steps) in found where steps.values.contains(where: { !$0.buckets.isEmpty }) {
            var values = [SeriesNotation.Value](
                repeating: .missing, count: (steps.keys.max() ?? 0) + 1)
            for (step, parts) in steps {
                values[step] = .histogram(try histogram(parts, of: labels), hasResetHint: false)
            }
            result.append(SeriesNotation(labels: labels, values: values))
        }
        return result
    }

    private enum Role {
        case bucket(Double)
        case count
        case sum

        var bound: Double? {
            if case .bucket(let bound) = self { bound } else { nil }
        }
    }

    private static func role(of name: String, _ labels: Labels) -> (base: String, Role)? {
        for (suffix, role) in [("_count", Role.count), ("_sum", .sum)] where name.hasSuffix(suffix) {
            return (String(name.dropLast(suffix.count)), role)
        }
        guard name.hasSuffix("_bucket"), let le = labels["le"], let bound = bound(le) else { return nil }
        return (String(name.dropLast("_bucket".count)), .bucket(bound))
    }

    private static func bound(_ text: String) -> Double? {
        switch text.lowercased() {
        case "+inf", "inf": .infinity
        default: Double(text)
        }
    }

    private static func histogram(_ parts: Parts, of labels: Labels) throws(ScriptFault) -> FloatHistogram {
        let ordered = parts.buckets.sorted { $0.bound < $1.bound }
        let finite = ordered.filter { $0.bound < .infinity }
        let highest = ordered.last
        let total = parts.count ?? highest?.count ?? 0
        if let infinite = highest, infinite.bound == .infinity, infinite.count != total {
            throw ScriptFault("count and +Inf bucket of \(labels) differ")
        }
        var counts: [Double] = []
        var below = 0.0
        for cumulative in finite.map(\.count) + [total] {
            guard cumulative >= below else { throw ScriptFault("buckets of \(labels) are not cumulative") }
            counts.append(cumulative - below)
            below = cumulative
        }
        var histogram = FloatHistogram()
        histogram.schema = FloatHistogram.customBucketsSchema
        histogram.customValues = finite.map(\.bound)
        histogram.count = total
        histogram.sum = parts.sum ?? 0
        histogram.setPositiveBuckets(counts)
        return histogram
    }
}

extension FloatHistogram {
    /// Sets the counts of the buckets from index 0, without the empty ones.
    fileprivate mutating func setPositiveBuckets(_ counts: [Double]) {
        var next = 0
        for (index, count) in counts.enumerated() where count != 0 {
            if index == next, !positiveSpans.isEmpty {
                positiveSpans[positiveSpans.count - 1].length += 1
            } else {
                positiveSpans.append(Span(offset: Int32(index - next), length: 1))
            }
            positiveBuckets.append(count)
            next = index + 1
        }
    }
}
