internal import MetricModel
internal import Rollback

/// The observations of a histogram, by slice and bucket.
struct BucketIncrements: Equatable {
    /// The upper bounds of the buckets, ascending; the last is infinite.
    var bounds: [Double]
    /// Observations by slice and bucket.
    var slices: [[Double]]

    /// Reads the `_bucket` series of classic histograms. Uses only bounds that all of them have, at which cumulative
    /// counts are exact; `nil` if there are none.
    init?(classic series: [SeriesSamples], in slices: TimeSlices, births: TargetBirths) {
        var histograms: [Labels: [Double: SeriesSamples]] = [:]
        for one in series where one.timestamps.contains(where: { slices.index(of: $0) != nil }) {
            guard let bound = one.labels["le"].flatMap(Self.bound) else { continue }
            histograms[one.labels.setting("le", to: ""), default: [:]][bound] = one
        }
        guard var common = histograms.values.first.map({ Set($0.keys) }) else { return nil }
        for histogram in histograms.values { common.formIntersection(histogram.keys) }
        bounds = common.sorted()
        guard bounds.last == .infinity else { return nil }
        var cumulative = [[Double]](
            repeating: [Double](repeating: 0, count: bounds.count), count: slices.count)
        for histogram in histograms.values {
            for (bucket, bound) in bounds.enumerated() {
                guard let one = histogram[bound] else { continue }
                let own = CounterIncrements.increments(
                    of: one, in: slices, isNewborn: births.isKnown(before: one))
                for slice in own.indices { cumulative[slice][bucket] += own[slice] }
            }
        }
        self.slices = cumulative.map { counts in
            counts.indices.map { max(0, counts[$0] - ($0 > 0 ? counts[$0 - 1] : 0)) }
        }
    }

    /// Reads native histograms and merges their buckets to the coarsest resolution; `nil` if there are none.
    init?(native series: [SeriesSamples], in slices: TimeSlices, births: TargetBirths) {
        var sums = [FloatHistogram?](repeating: nil, count: slices.count)
        for one in series where !one.histograms.isEmpty {
            var previous: FloatHistogram? = births.isKnown(before: one) ? FloatHistogram() : nil
            for (time, histogram) in zip(one.timestamps, one.histograms) {
                guard let histogram, !histogram.isStaleMarker else { continue }
                defer { previous = histogram }
                guard let slice = slices.index(of: time), let before = previous else { continue }
                var increase = histogram
                if before.count > 0, !histogram.isReset(after: before) {
                    guard increase.subtract(before) != nil else { return nil }
                }
                if sums[slice] == nil {
                    sums[slice] = increase
                } else if sums[slice]?.add(increase) == nil {
                    return nil
                }
            }
        }
        guard let schema = sums.compactMap({ $0?.schema }).min() else { return nil }
        let counted = sums.map { sum -> [FloatHistogram.Bucket] in
            guard var sum else { return [] }
            if !sum.usesCustomBuckets { sum.reduceResolution(to: schema) }
            return sum.allBuckets
        }
        let ends = Set(counted.flatMap { $0.map(\.upper) }).sorted()
        bounds = ends.last == .infinity ? ends : ends + [.infinity]
        let places = Dictionary(uniqueKeysWithValues: bounds.enumerated().map { ($1, $0) })
        self.slices = counted.map { [bounds] buckets in
            buckets.reduce(into: [Double](repeating: 0, count: bounds.count)) { counts, bucket in
                if let place = places[bucket.upper] { counts[place] += max(0, bucket.count) }
            }
        }
    }

    init(bounds: [Double], slices: [[Double]]) {
        self.bounds = bounds
        self.slices = slices
    }

    /// The same observations in the buckets with the bounds `coarser`, a subset of the current bounds.
    func merged(to coarser: [Double]) -> BucketIncrements {
        let merged = slices.map { counts in
            var sums = [Double](repeating: 0, count: coarser.count)
            var place = 0
            for (bound, count) in zip(bounds, counts) {
                while place + 1 < coarser.count, coarser[place] < bound { place += 1 }
                sums[place] += count
            }
            return sums
        }
        return BucketIncrements(bounds: coarser, slices: merged)
    }

    /// The same observations in the buckets with the bounds `finer`, a superset of the current bounds.
    func spread(to finer: [Double]) -> BucketIncrements {
        let places = Dictionary(uniqueKeysWithValues: finer.enumerated().map { ($1, $0) })
        let spread = slices.map { counts in
            var sums = [Double](repeating: 0, count: finer.count)
            for (bound, count) in zip(bounds, counts) { if let place = places[bound] { sums[place] += count } }
            return sums
        }
        return BucketIncrements(bounds: finer, slices: spread)
    }

    private static func bound(_ text: String) -> Double? {
        text == "+Inf" ? .infinity : Double(text).flatMap { $0.isNaN ? nil : $0 }
    }
}
