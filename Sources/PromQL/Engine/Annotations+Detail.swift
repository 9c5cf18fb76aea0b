internal import MetricModel

extension Annotations {
    /// The details after an annotation's text. Details of annotations with the same text are added up.
    enum Detail: Equatable, Sendable {
        case none
        /// The number of times that the annotation was added.
        case occurrences(Int)
        case monotonicity(Monotonicity)

        func joined(with other: Detail) -> Detail {
            switch (self, other) {
            case (.occurrences(let mine), .occurrences(let theirs)): return .occurrences(mine + theirs)
            case (.monotonicity(var mine), .monotonicity(let theirs)):
                mine.join(theirs)
                return .monotonicity(mine)
            default: return other
            }
        }

        var text: String {
            switch self {
            case .none, .occurrences(1): ""
            case .occurrences(let count): " (\(count) occurrences)"
            case .monotonicity(let monotonicity): monotonicity.text
            }
        }
    }

    /// How counts of classic histograms were raised, over all series and steps.
    struct Monotonicity: Equatable, Sendable {
        /// The lowest and the highest bound affected.
        var lowest: Double
        var highest: Double
        /// The greatest amount.
        var greatest: Double
        /// The first and the last evaluation time.
        var first: Int64
        var last: Int64
        var count: Int

        mutating func join(_ other: Monotonicity) {
            lowest = min(lowest, other.lowest)
            highest = max(highest, other.highest)
            greatest = max(greatest, other.greatest)
            first = min(first, other.first)
            last = max(last, other.last)
            count += other.count
        }

        var text: String {
            let bounds = "\(NumberText.shortest(lowest)) to \(NumberText.shortest(highest))"
            let times = "\(NumberText.time(first)) to \(NumberText.time(last))"
            return ", from buckets \(bounds), with a max diff of \(NumberText.twoDigits(greatest)), over \(count) "
                + "samples from \(times)"
        }
    }
}
