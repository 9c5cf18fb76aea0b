/// A difference between Prometheus 2.42 and the one whose answers ours should be, and how it is kept out of the
/// comparison.
struct KnownDifference {
    /// How a difference is kept out.
    enum Exclusion {
        /// Expressions that have all of these words are not compared.
        case words([String])
        /// Samples, times and expressions are made in such a way that it cannot show.
        case construction(String)
        /// Ours is an error that begins so.
        case error(String)
        /// Ours has an info that begins so, theirs is an error.
        case info(String)
    }

    var name: String
    var reason: String
    var exclusion: Exclusion

    /// Whether it could show in the answers to `expression`.
    func concerns(_ expression: String) -> Bool {
        guard case .words(let words) = exclusion else { return false }
        return words.allSatisfy { expression.contains($0) }
    }

    /// Whether it explains that ours is `answer` where theirs is `other`.
    func explains(_ answer: ComparedAnswer, against other: ComparedAnswer) -> Bool {
        switch exclusion {
        case .words, .construction: false
        case .error(let text): answer.error?.hasPrefix(text) ?? false
        case .info(let text): other.isError && answer.infos.contains { $0.hasPrefix(text) }
        }
    }

    static let all = [
        KnownDifference(
            name: "left-open windows",
            reason: "3.0 leaves the oldest moment out of ranges, subqueries and the lookback",
            exclusion: .construction(
                "no sample lies on a whole second, on half of one or on one of the thousandths at which queries are "
                    + "evaluated, and the edges of a subquery lie between its steps")),
        KnownDifference(
            name: "counters near zero", reason: "2.50 changed how far a counter is extrapolated that would reach zero",
            exclusion: .construction("counters start high, have no gaps and no resets in their first ten minutes")),
        KnownDifference(
            name: "compensated sums", reason: "sum and avg of 3.x compensate rounding; 2.42 adds plainly",
            exclusion: .construction(
                "samples are multiples of 2^-12, and what jumps at a last bit (changes, resets, floor, count_values) gets "
                    + "samples rather than results")),
        KnownDifference(
            name: "bound of a bucket",
            reason: "a rank that is a bucket's count but for the last bit falls into one bucket or the next",
            exclusion: .construction("quantiles of histograms have five places, more than counts have")),
        KnownDifference(
            name: "standard deviation of infinities",
            reason: "2.42 says 0 where a group has one value that is not finite",
            exclusion: .construction("stddev and stdvar get finite samples")),
        KnownDifference(
            name: "which of equal values are among the first few",
            reason: "2.42 takes the worst off the heap before it puts the next one in, 3.x replaces it",
            exclusion: .construction("topk and bottomk get series whose values differ, or take one or all")),
        KnownDifference(
            name: "sums that overflow", reason: "2.42 makes NaN of them, 3.x an infinity",
            exclusion: .construction("exp, sinh and cosh get small samples")),
        KnownDifference(
            name: "minus before series that take turns",
            reason: "3.x joins series of which the names go and that have no step in common; 2.42 fails",
            exclusion: .construction("no minus before an or")),
        KnownDifference(
            name: "label of count_values", reason: "2.42 loses labels that sort after the one that holds the value",
            exclusion: .construction("the label sorts last")),
        KnownDifference(
            name: "atan2", reason: "2.42 keeps the metric's name", exclusion: .construction("not generated")),
        KnownDifference(
            name: "holt_winters", reason: "called double_exponential_smoothing in 3.x",
            exclusion: .construction("not generated")),
        KnownDifference(
            name: "duplicates that a filter hides",
            reason: "2.42 looks for several matches among the elements that a comparison keeps, 3.x among all",
            exclusion: .error("multiple matches for labels")),
        KnownDifference(
            name: "floats with histograms",
            reason: "2.42 takes the histogram for a zero and fails where there are several, 3.x leaves the pair out",
            exclusion: .info("PromQL info: incompatible sample types")),
        KnownDifference(
            name: "remainders of powers",
            reason:
                "the last bit of a power is Go's or the C library's, and the remainder of a large number is all last bits",
            exclusion: .words(["^", "%"])),
        KnownDifference(
            name: "powers by an average",
            reason: "a negative number to a power that is whole but for the last bit of an average is not a number",
            exclusion: .words(["^", "avg"])),
        KnownDifference(
            name: "interpolation in native histograms",
            reason: "2.42 takes observations to be spread evenly in a bucket, 3.x exponentially",
            exclusion: .construction("no histogram_quantile of them, and fractions between bounds of buckets")),
        KnownDifference(
            name: "layout before a reset",
            reason: "2.42 brings a rate to the resolution and zero bucket of a first sample that does not count",
            exclusion: .construction("a native histogram that begins anew keeps its layout")),
        KnownDifference(
            name: "functions that lose native histograms",
            reason: "2.42 makes zeros of them or drops them in label_replace, label_join and last_over_time",
            exclusion: .construction("these get no native histograms")),
        KnownDifference(
            name: "predict_linear with @", reason: "2.42 moves the window along with the steps although @ fixes it",
            exclusion: .words(["predict_linear(", " @ "])),
        KnownDifference(
            name: "quantile_over_time with @",
            reason: "with a fraction that changes, 2.42 moves the window as for predict_linear",
            exclusion: .words(["quantile_over_time(scalar(", " @ "])),
        KnownDifference(
            name: "@ in subqueries with offsets",
            reason: "2.42 moves the moment by the offset of an outer subquery and may find no samples there",
            exclusion: .words([" @ ", "] offset -"])),
        KnownDifference(
            name: "timestamp with @", reason: "2.42 finds no samples in a subquery or where there is an offset too",
            exclusion: .words(["timestamp(", " @ "])),
    ]
}
