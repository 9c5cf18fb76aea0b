internal import MetricModel

/// A condition at the end of a load test, such as `p99 < 5ms` or `auth: errors < 1%`. A value.
public struct LoadThreshold: Equatable, Sendable, CustomStringConvertible {
    /// The compared quantity.
    public enum Measure: Equatable, Sendable {
        /// A quantile of the latency, 0...1, in seconds.
        case quantile(Double)
        case maximum
        case mean
        /// The share of requests that failed.
        case errors
        /// The share of answers with the right hash.
        case hash
        /// Successful requests per second.
        case rate
    }

    enum Comparison: String, CaseIterable {
        // The longer ones first, so that a prefix is not taken for them.
        case atMost = "<="
        case atLeast = ">="
        case below = "<"
        case above = ">"

        func holds(_ value: Double, _ limit: Double) -> Bool {
            switch self {
            case .atMost: value <= limit
            case .atLeast: value >= limit
            case .below: value < limit
            case .above: value > limit
            }
        }
    }

    /// The threshold as written.
    public let description: String
    /// The target; `nil` for all together.
    public let target: String?
    /// The compared quantity.
    public let measure: Measure
    let comparison: Comparison
    /// Seconds, a share, or requests per second.
    public let limit: Double

    /// The text of an error for another form.
    public static let expectation =
        "expected [TARGET:] p50|p99|p99.9|max|mean|errors|hash|rate, then < <= > or >=, then 5ms, 2s, 1% or a number"

    /// Reads a threshold; `nil` if it has another form.
    public init?(_ text: String) {
        description = text
        guard let comparison = Comparison.allCases.first(where: { text.contains($0.rawValue) }),
            let place = text.firstRange(of: comparison.rawValue)
        else { return nil }
        self.comparison = comparison
        var left = String(text[..<place.lowerBound]).filter { !$0.isWhitespace }
        if let colon = left.lastIndex(of: ":") {
            target = String(left[..<colon])
            left = String(left[left.index(after: colon)...])
        } else {
            target = nil
        }
        switch left {
        case "max": measure = .maximum
        case "mean": measure = .mean
        case "errors": measure = .errors
        case "hash": measure = .hash
        case "rate": measure = .rate
        default:
            guard left.first == "p", let percent = Double(left.dropFirst()), (0...100).contains(percent) else {
                return nil
            }
            measure = .quantile(percent / 100)
        }
        let right = text[place.upperBound...].filter { !$0.isWhitespace }
        let limit: Double?
        switch measure {
        case .quantile, .maximum, .mean: limit = Milliseconds(parsing: right).map { Double($0.rawValue) / 1000 }
        case .errors, .hash:
            limit = right.last == "%" ? Double(right.dropLast()).map { $0 / 100 } : Double(right)
        case .rate: limit = Double(right)
        }
        guard let limit, limit.isFinite, limit >= 0 else { return nil }
        self.limit = limit
    }

    /// The value that a result has; `nil` if nothing was measured, which holds no threshold.
    public func value(in result: LoadResult) -> Double? {
        let part: LoadResult.Part
        if let target {
            guard let found = result.parts.first(where: { $0.name == target }) else { return nil }
            part = found
        } else {
            part = result.total
        }
        func latency(_ nanoseconds: Int64) -> Double? {
            part.latency.count > 0 ? Double(nanoseconds) / 1e9 : nil
        }
        return switch measure {
        case .quantile(let share): latency(part.latency.quantile(share))
        case .maximum: latency(part.latency.maximum)
        case .mean: part.latency.count > 0 ? part.latency.mean / 1e9 : nil
        case .errors: part.requests > 0 ? Double(part.failed) / Double(part.requests) : nil
        case .hash: part.hashChecked > 0 ? 1 - Double(part.hashMismatches) / Double(part.hashChecked) : nil
        case .rate: result.seconds > 0 ? Double(part.succeeded) / result.seconds : nil
        }
    }

    /// Whether it holds.
    public func holds(in result: LoadResult) -> Bool {
        value(in: result).map { comparison.holds($0, limit) } ?? false
    }
}
