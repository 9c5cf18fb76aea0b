internal import MetricModel

/// The samples of one series that were read, in ascending order of time.
struct ReadSamples {
    var timestamps: [Int64] = []
    var values: [Double] = []
    /// Empty if all samples are floats; otherwise parallel to the others.
    var histograms: [FloatHistogram?] = []

    var count: Int { timestamps.count }

    mutating func append(_ time: Int64, _ value: StoredValue) {
        timestamps.append(time)
        switch value {
        case .float(let float):
            values.append(float)
            if !histograms.isEmpty { histograms.append(nil) }
        case .histogram(let histogram):
            if histograms.isEmpty { histograms = Array(repeating: nil, count: values.count) }
            values.append(histogram.sum)
            histograms.append(histogram)
        }
    }

    /// Adds the samples of `other`. At equal times, the existing sample is kept.
    mutating func merge(_ other: ReadSamples) {
        guard other.count > 0 else { return }
        guard let last = timestamps.last else {
            self = other
            return
        }
        if last < other.timestamps[0] {
            for index in 0..<other.count { append(other.timestamps[index], other.value(index)) }
            return
        }
        var merged = ReadSamples()
        var left = 0
        var right = 0
        while left < count || right < other.count {
            if right == other.count || (left < count && timestamps[left] <= other.timestamps[right]) {
                if right < other.count, timestamps[left] == other.timestamps[right] { right += 1 }
                merged.append(timestamps[left], value(left))
                left += 1
            } else {
                merged.append(other.timestamps[right], other.value(right))
                right += 1
            }
        }
        self = merged
    }

    /// Sorts samples of any order. Of several at one time, the first is kept.
    mutating func sort() {
        let order = timestamps.indices.sorted { (timestamps[$0], $0) < (timestamps[$1], $1) }
        var sorted = ReadSamples()
        for index in order where sorted.timestamps.last != timestamps[index] {
            sorted.append(timestamps[index], value(index))
        }
        self = sorted
    }

    private func value(_ index: Int) -> StoredValue {
        if !histograms.isEmpty, let histogram = histograms[index] { return .histogram(histogram) }
        return .float(values[index])
    }
}
