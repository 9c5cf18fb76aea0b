/// Native histograms, and the numbers that are made of them.
extension ExpressionGenerator {
    private static let native = ["delay_seconds"]

    /// A vector of histograms.
    mutating func histogram(_ depth: Int) -> String {
        guard depth > 0 else { return chance(30) ? selector(Self.native) : histogramsOverRange() }
        switch roll(7) {
        case 0: return histogramsOverRange()
        case 1: return "sum(\(histogram(depth - 1))) by (\(pick(["job", "instance", "", "job, instance"])))"
        case 2: return "sum without (\(pick(["job", "instance"]))) (\(histogram(depth - 1)))"
        case 3:
            let same = histogram(depth - 1)
            return "(\(same)) + (\(chance(50) ? same : histogram(depth - 1)))"
        case 4: return "sum(\(histogram(depth - 1)))"
        case 5: return "(\(histogram(depth - 1))) and on (job) (\(vector(0)))"
        default: return "(\(histogram(depth - 1))) or (\(histogram(depth - 1)))"
        }
    }

    private mutating func histogramsOverRange() -> String {
        "\(pick(["rate", "increase"]))(\(range(Self.native)))"
    }

    /// A vector of numbers made of one of histograms.
    mutating func numberOfHistogram(_ depth: Int) -> String {
        let argument = histogram(depth)
        // Bounds of buckets, where nothing is interpolated.
        let bounds = ["-Inf", "-8", "-1", "-0.125", "0.125", "0.5", "1", "4", "64", "Inf"]
        switch roll(7) {
        case 0: return "histogram_sum(\(argument))"
        case 1: return "histogram_fraction(\(pick(bounds)), \(pick(bounds)), \(argument))"
        case 2: return "count(\(argument)) by (\(pick(["job", ""])))"
        case 3: return "\(pick(["count_over_time", "present_over_time"]))(\(range(Self.native)))"
        case 4: return "timestamp(\(selector(Self.native)))"
        case 5: return "absent(\(argument))"
        default: return "histogram_count(\(argument))"
        }
    }
}
