/// The postings of series that are entered together. Each list is written once, in memory of the right size; adding one
/// series at a time would find and extend a list for every label.
///
/// `pairs` holds the pairs of series `first`, then those of the next one, and so on. `counts` is the number of pairs of
/// each.
@unsafe struct ListedPostings {
    /// The list of a pair.
    private struct Run {
        var first: UInt32 = 0
        var last: UInt32 = 0
        var count: UInt32 = 0
        /// The length of the steps in bytes; later the position of the next one.
        var steps = 0
        /// Whether the first series was passed while steps are written.
        var isBegun = false
    }

    private let first: UInt32
    private let pairs: UnsafeBufferPointer<UInt32>
    private let counts: ArraySlice<UInt16>

    init(from first: UInt32, pairs: UnsafeBufferPointer<UInt32>, counts: ArraySlice<UInt16>) {
        unsafe self.first = first
        unsafe self.pairs = unsafe pairs
        unsafe self.counts = counts
    }

    /// Calls `body` with the list of every pair below `bound` that has one.
    func forEach(
        below bound: UInt32,
        _ body: (
            _ pair: UInt32, _ first: UInt32, _ last: UInt32, _ count: UInt32, _ steps: UnsafeBufferPointer<UInt8>
        ) -> Void
    ) {
        var runs = [Run](repeating: Run(), count: Int(bound))
        var total = 0
        unsafe forEachPosting { series, pair in
            if runs[pair].count == 0 {
                runs[pair].first = series
            } else {
                runs[pair].steps += PostingList.size(ofStepFrom: runs[pair].last, to: series)
            }
            runs[pair].last = series
            runs[pair].count += 1
        }
        for pair in runs.indices {
            let size = runs[pair].steps
            runs[pair].steps = total
            runs[pair].last = runs[pair].first
            total += size
        }
        let steps = UnsafeMutablePointer<UInt8>.allocate(capacity: max(total, 1))
        defer { unsafe steps.deallocate() }
        unsafe forEachPosting { series, pair in
            guard runs[pair].isBegun else {
                runs[pair].isBegun = true
                return
            }
            unsafe runs[pair].steps += PostingList.write(
                stepFrom: runs[pair].last, to: series, steps + runs[pair].steps)
            runs[pair].last = series
        }
        var start = 0
        for (pair, run) in runs.enumerated() where run.count > 0 {
            unsafe body(
                UInt32(pair), run.first, run.last, run.count,
                UnsafeBufferPointer(start: steps + start, count: run.steps - start))
            start = run.steps
        }
    }

    @inline(__always)
    private func forEachPosting(_ body: (_ series: UInt32, _ pair: Int) -> Void) {
        var next = 0
        var series = unsafe first
        for count in unsafe counts {
            let end = next + Int(count)
            while next < end {
                unsafe body(series, Int(pairs[next]))
                next += 1
            }
            series += 1
        }
    }
}
