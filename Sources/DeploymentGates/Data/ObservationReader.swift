internal import MetricModel
internal import Rollback

/// One side of a comparison: its series and its window.
struct GateArm: Equatable {
    /// Labels that the series must have, besides the metric's selector.
    var labels: Labels
    /// The window.
    var window: TimeSlices
}

/// Reads the observations of a metric for both versions.
struct ObservationReader {
    let data: GateData
    let stable: GateArm
    let candidate: GateArm

    /// The observations of `metric`, or why there are none. Blocks while the store reads.
    func observations(of metric: GateMetric) -> MetricObservations {
        do throws(GateData.Fault) {
            switch metric.source {
            case .counters(let events, let trials): return try counters(events: events, of: trials)
            case .histogram(let selector): return try histogram(selector)
            case .samples(let selector):
                return .samples(
                    stable: try samples(selector, stable), candidate: try samples(selector, candidate))
            }
        } catch {
            return .missing(error.description)
        }
    }

    /// The observations of `metric` on one side.
    func side(of metric: GateMetric, _ arm: GateArm) -> SideObservations {
        do throws(GateData.Fault) {
            switch metric.source {
            case .counters(let events, let trials): return .counts(try counts(events, trials, arm, "service"))
            case .histogram(let selector):
                let read = try buckets(selector, arm, "service")
                return .histogram(bounds: read.bounds, slices: read.slices)
            case .samples(let selector):
                let slices = try samples(selector, arm)
                return slices.allSatisfy(\.isEmpty) ? .missing("no data of \(selector)") : .samples(slices)
            }
        } catch {
            return .missing(error.description)
        }
    }

    // MARK: counters

    private func counters(events: String, of trials: String) throws(GateData.Fault) -> MetricObservations {
        .counts(
            stable: try counts(events, trials, stable, "stable version"),
            candidate: try counts(events, trials, candidate, "candidate"))
    }

    private func counts(
        _ events: String, _ trials: String, _ arm: GateArm, _ name: String
    ) throws(GateData.Fault) -> [EventCount] {
        let all = try series(trials, arm)
        let bad = try series(events, arm)
        let slices = arm.window.sliced(for: all)
        let births = TargetBirths(all + bad)
        guard let total = CounterIncrements.sum(of: all, in: slices, births: births) else {
            throw GateData.Fault("no data of \(trials) for the \(name)")
        }
        // Without events of this kind there is no series. There were requests, so the number of events is 0.
        let part = CounterIncrements.sum(of: bad, in: slices, births: births) ?? []
        guard part.reduce(0, +) <= total.reduce(0, +) else {
            throw GateData.Fault("more events than trials for the \(name): the selectors do not match each other")
        }
        return total.indices.map { index in
            EventCount(events: min(part.isEmpty ? 0 : part[index], total[index]), trials: total[index])
        }
    }

    // MARK: histograms

    private func histogram(_ selector: String) throws(GateData.Fault) -> MetricObservations {
        let left = try buckets(selector, stable, "stable version")
        let right = try buckets(selector, candidate, "candidate")
        guard left.bounds != right.bounds else {
            return .histogram(bounds: left.bounds, stable: left.slices, candidate: right.slices)
        }
        let common = left.bounds.filter { right.bounds.contains($0) }
        // Classic buckets with different layouts share few bounds. Native histograms have only buckets with
        // observations.
        if left.isNative, right.isNative {
            let all = Set(left.bounds + right.bounds).sorted()
            return .histogram(
                bounds: all, stable: left.value.spread(to: all).slices, candidate: right.value.spread(to: all).slices)
        }
        guard common.count > 2 else { throw GateData.Fault("the versions' histograms have no buckets in common") }
        return .histogram(
            bounds: common, stable: left.value.merged(to: common).slices,
            candidate: right.value.merged(to: common).slices)
    }

    private struct Read {
        var value: BucketIncrements
        var isNative: Bool
        var bounds: [Double] { value.bounds }
        var slices: [[Double]] { value.slices }
    }

    private func buckets(_ selector: String, _ arm: GateArm, _ name: String) throws(GateData.Fault) -> Read {
        let classic = try series(selector, arm, suffix: "_bucket")
        if !classic.isEmpty {
            let slices = arm.window.sliced(for: classic)
            guard let read = BucketIncrements(classic: classic, in: slices, births: TargetBirths(classic)) else {
                throw GateData.Fault("the buckets of \(selector) of the \(name) have no bounds in common")
            }
            return Read(value: read, isNative: false)
        }
        let native = try series(selector, arm)
        let slices = arm.window.sliced(for: native)
        guard let read = BucketIncrements(native: native, in: slices, births: TargetBirths(native)) else {
            throw GateData.Fault("no histogram \(selector) for the \(name)")
        }
        return Read(value: read, isNative: true)
    }

    // MARK: samples

    private func samples(_ selector: String, _ arm: GateArm) throws(GateData.Fault) -> [[Double]] {
        let all = try series(selector, arm)
        let slices = arm.window.sliced(for: all)
        var found = [[Double]](repeating: [], count: slices.count)
        for one in all {
            for (time, value) in zip(one.timestamps, one.values) where !value.isNaN {
                if let slice = slices.index(of: time) { found[slice].append(value) }
            }
        }
        return found
    }

    // MARK: series

    private func series(
        _ selector: String, _ arm: GateArm, suffix: String = ""
    ) throws(GateData.Fault) -> [SeriesSamples] {
        var matchers = try data.matchers(selector).get()
        if !suffix.isEmpty {
            guard let place = matchers.firstIndex(where: { $0.name == Labels.metricName && $0.operation == .equal })
            else { throw GateData.Fault("the histogram \(selector) needs a metric name") }
            let name = matchers[place].value
            if !name.hasSuffix(suffix) { matchers[place] = Matcher(Labels.metricName, .equal, name + suffix) }
        }
        matchers += arm.labels.pairs.map { Matcher($0.name, .equal, $0.value) }
        return try data.select(matchers, arm.window.from - TimeSlices.lookback, arm.window.through).get()
    }
}
