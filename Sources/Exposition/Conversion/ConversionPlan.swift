internal import MetricModel

/// The conversion of a body with known series. A value, created when the set of series changes.
struct ConversionPlan: Sendable {
    /// The place of each value, or -1.
    private(set) var places: [Int32] = []
    /// The indices of the values that are kept, in order.
    private(set) var kept: [Int] = []
    /// The series, sorted by place.
    private(set) var series: [Int32] = []
    /// The histograms to create. Their places follow those of the kept values.
    private(set) var histograms: [ClassicHistogramSeries] = []
    /// For each value, the histogram that it is part of, or -1.
    private(set) var histogramOf: [Int32] = []
    /// `_created` values, with the places of the series that they describe.
    private(set) var created: [(index: Int, places: [Int])] = []

    init() {}

    /// - Parameters:
    ///   - roles: the roles of the body's series, in its order.
    ///   - native: whether each of them is already a native histogram.
    ///   - number: returns the number for the histogram of a metric.
    init(
        _ series: [Int32], _ roles: [SeriesRole?], native: Set<Int>, _ options: ConversionOptions,
        number: (Labels) -> Int32
    ) {
        histogramOf = [Int32](repeating: -1, count: series.count)
        if options.convertsClassic { collectHistograms(roles, native, number) }
        for index in series.indices {
            let isCreated = options.takesCreated && roles[index]?.part == .created
            if isCreated || (histogramOf[index] >= 0 && !options.keepsClassic) {
                places.append(-1)
            } else {
                places.append(Int32(kept.count))
                kept.append(index)
                self.series.append(2 * series[index])
            }
        }
        self.series += histograms.map(\.number)
        if options.takesCreated { collectCreated(roles) }
    }

    /// The place of a created histogram.
    func place(ofHistogram index: Int) -> Int { kept.count + index }

    private mutating func collectHistograms(_ roles: [SeriesRole?], _ native: Set<Int>, _ number: (Labels) -> Int32) {
        let exponential = Set(native.compactMap { roles[$0]?.metric })
        var indices: [Labels: Int] = [:]
        // A histogram needs buckets. Sums and counts alone are not enough.
        for (index, role) in roles.enumerated() {
            guard let role, case .bucket(let bound) = role.part, !exponential.contains(role.metric) else { continue }
            let place = indices[role.metric] ?? histograms.count
            if place == histograms.count {
                histograms.append(ClassicHistogramSeries(number: number(role.metric)))
                indices[role.metric] = place
            }
            histograms[place].add(bucket: index, upTo: bound)
            histogramOf[index] = Int32(place)
        }
        for (index, role) in roles.enumerated() {
            guard let role, role.type == .histogram, let place = indices[role.metric] else { continue }
            switch role.part {
            case .sum: histograms[place].sum = index
            case .count: histograms[place].count = index
            case .value, .bucket, .created: continue
            }
            histogramOf[index] = Int32(place)
        }
    }

    private mutating func collectCreated(_ roles: [SeriesRole?]) {
        var indices: [Labels: Int] = [:]
        for (index, role) in roles.enumerated() where role?.part == .created {
            guard let metric = role?.metric else { continue }
            indices[metric] = created.count
            created.append((index, []))
        }
        if created.isEmpty { return }
        for (index, role) in roles.enumerated() {
            guard let role, role.part != .created, let about = indices[role.metric] else { continue }
            if places[index] >= 0 { created[about].places.append(Int(places[index])) }
            let histogram = Int(histogramOf[index])
            if histogram >= 0, !created[about].places.contains(place(ofHistogram: histogram)) {
                created[about].places.append(place(ofHistogram: histogram))
            }
        }
    }
}
