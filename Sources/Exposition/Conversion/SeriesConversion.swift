internal import MetricModel

/// Converts classic histograms to native ones with custom bounds, and `_created` series to start timestamps. A value;
/// used by one thread at a time.
///
/// The conversion is planned when the set of series changes. A body with the same series needs one pass over its
/// values. Series keep the predictor's numbers, doubled. Created histograms get odd numbers.
struct SeriesConversion: Sendable {
    private let options: ConversionOptions
    private var roles: [Int32: SeriesRole] = [:]
    /// The numbers of created histograms, by metric. Halved, they count up from 0.
    private var made: [Labels: Int32] = [:]
    private var freeNumbers: [Int32] = []
    private var numberCount: Int32 = 0
    private var plan = ConversionPlan()

    /// The plan for the body being read and the numbers that it added, if they differ.
    private var pending: ConversionPlan?
    private var newRoles: [Int32] = []
    private var newMade: [Labels] = []

    init(_ options: ConversionOptions) {
        self.options = options
    }

    /// An upper bound for all numbers, exclusive, if the predictor's is `limit`.
    func numberLimit(_ limit: Int) -> Int { 2 * max(limit, Int(numberCount)) }

    /// Converts the samples that were read.
    mutating func apply(to body: inout ScrapedBody) {
        if !body.isUnchanged { makePlan(&body) }
        let plan = pending ?? self.plan
        var converted = ScrapedBody()
        converted.isUnchanged = body.isUnchanged
        converted.series = body.isUnchanged ? [] : plan.series
        converted.newSeries = body.newSeries
        converted.values.reserveCapacity(plan.series.count)
        for index in plan.kept { converted.values.append(body.values[index]) }
        converted.timestamps = Self.move(body.timestamps, plan, once: true)
        converted.startTimestamps = Self.move(body.startTimestamps, plan, once: true)
        // As for every native histogram, exemplars without a timestamp cannot be distinguished from new ones.
        converted.exemplars = Self.move(body.exemplars, plan, once: false) { $0.timestamp != nil }
        for extra in body.histograms {
            converted.histograms.append(.init(index: Int(plan.places[extra.index]), value: extra.value))
        }
        for (index, classic) in plan.histograms.enumerated() {
            let histogram = classic.native(body.values)
            if let histogram {
                converted.histograms.append(.init(index: plan.place(ofHistogram: index), value: histogram))
            }
            // If the counts are invalid, the series ends until they are valid again.
            converted.values.append(histogram == nil ? .staleMarker : 0)
        }
        for (index, places) in plan.created {
            let start = Timestamp(seconds: body.values[index])
            guard body.values[index].isFinite, start.milliseconds > 0 else { continue }
            converted.startTimestamps += places.map { .init(index: $0, value: start) }
        }
        converted.startTimestamps.sort { $0.index < $1.index }
        body = converted
    }

    /// Attributes that only some values have, at the indices of these values and of the histograms created from them.
    ///
    /// - Parameter once: whether a histogram takes only the first attribute of its parts.
    private static func move<Value>(
        _ extras: [ScrapedBody.Extra<Value>], _ plan: ConversionPlan, once: Bool,
        forHistograms isWanted: (Value) -> Bool = { _ in true }
    ) -> [ScrapedBody.Extra<Value>] {
        if extras.isEmpty { return [] }
        var moved: [ScrapedBody.Extra<Value>] = []
        var ofHistograms: [(place: Int, order: Int, value: Value)] = []
        for extra in extras {
            if plan.places[extra.index] >= 0 {
                moved.append(.init(index: Int(plan.places[extra.index]), value: extra.value))
            }
            let histogram = Int(plan.histogramOf[extra.index])
            if histogram >= 0, isWanted(extra.value) {
                ofHistograms.append((plan.place(ofHistogram: histogram), ofHistograms.count, extra.value))
            }
        }
        ofHistograms.sort { ($0.place, $0.order) < ($1.place, $1.order) }
        for extra in ofHistograms where !once || moved.last?.index != extra.place {
            moved.append(.init(index: extra.place, value: extra.value))
        }
        return moved
    }

    private mutating func makePlan(_ body: inout ScrapedBody) {
        for series in body.newSeries {
            roles[series.number] = SeriesRole(series.labels, type: series.type)
            newRoles.append(series.number)
        }
        body.newSeries = body.newSeries.map { .init(number: 2 * $0.number, labels: $0.labels, type: $0.type) }
        pending = ConversionPlan(
            body.series, body.series.map { roles[$0] }, native: Set(body.histograms.map(\.index)), options
        ) { metric in
            if let known = made[metric] { return known }
            let half = freeNumbers.popLast() ?? numberCount
            numberCount = max(numberCount, half + 1)
            made[metric] = 2 * half + 1
            newMade.append(metric)
            body.newSeries.append(.init(number: 2 * half + 1, labels: metric, type: .histogram))
            return 2 * half + 1
        }
    }

    /// Keeps the body's state. Takes the removed numbers of the predictor, and returns those of the conversion.
    mutating func commit(forgotten: [Int32]) -> [Int32] {
        var numbers = forgotten.map { 2 * $0 }
        for number in forgotten { roles[number] = nil }
        if let pending {
            let live = Set(pending.histograms.map(\.number))
            for (metric, number) in made where !live.contains(number) {
                made[metric] = nil
                freeNumbers.append(number / 2)
                numbers.append(number)
            }
            plan = pending
        }
        finish()
        return numbers
    }

    /// Discards the body's state.
    mutating func discard() {
        for number in newRoles { roles[number] = nil }
        for metric in newMade {
            if let number = made.removeValue(forKey: metric) { freeNumbers.append(number / 2) }
        }
        finish()
    }

    private mutating func finish() {
        pending = nil
        newRoles = []
        newMade = []
    }
}
