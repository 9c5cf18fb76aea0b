internal import MetricModel

/// The source of a range function's windows: a range selector or a subquery.
final class RangeSource {
    private enum Origin {
        case selector(MatrixSelector)
        case subquery(Subquery, any PlanNode)
    }

    /// The series, with the width and times of the windows.
    struct Contents {
        var set: SeriesSet
        /// Returns the series of a row. Created one at a time, so that not all are in memory at once.
        var series: (Int) -> RangeSeries
        var times: SampleTimes
        /// Width of the windows in milliseconds.
        var width: Int64
        /// The additional time before the window for which samples are needed.
        var before: Int64 = 0
        var after: Int64 = 0
    }

    private let origin: Origin
    private let resolvesHints: Bool
    private var selected = SelectedSeries()
    private var selection: (any SeriesSelection)?

    /// Scanned series, with the width and times of the windows.
    struct Scan {
        var scan: any SeriesScan
        var times: SampleTimes
        /// Width of the windows in milliseconds.
        var width: Int64
        var resolvesHints: Bool
        /// The metric name of all series, if the selector requires one.
        var name: String?

        /// The labels of a series; only its name if no more were requested.
        func labels(of series: Int) -> Labels {
            if case .each(let labels) = scan.selection.labelling { return labels[series] }
            return name.map { Labels(metric: $0) } ?? .empty
        }
    }

    /// - Parameter resolvesHints: As for `SelectorNode`.
    init(_ selector: MatrixSelector, resolvesHints: Bool = false) {
        origin = .selector(selector)
        self.resolvesHints = resolvesHints
    }

    init(_ subquery: Subquery, inner: any PlanNode) {
        origin = .subquery(subquery, inner)
        resolvesHints = false
    }

    /// `anchored` or `smoothed`.
    var rangeExtension: RangeExtension? {
        if case .selector(let selector) = origin { selector.selector.rangeExtension } else { nil }
    }

    /// The matchers of a plain range selector.
    var matchers: [Matcher]? {
        if case .selector(let selector) = origin { selector.selector.matchers } else { nil }
    }

    /// The metric name of all series of a plain range selector.
    var singleName: String? {
        matchers?.first { $0.name == Labels.metricName && $0.operation == .equal && !$0.value.isEmpty }?.value
    }

    /// The series of a plain range selector, for reading piece by piece; `nil` for other sources.
    func scan(_ run: Run, over grid: Grid, labels: LabelDemand) throws(QueryError) -> Scan? {
        guard case .selector(let selector) = origin, selector.selector.rangeExtension == nil else { return nil }
        let times = try SampleTimes(offset: selector.selector.offset, at: selector.selector.at, run: run)
        let width = try selector.window.resolved(run, mayBeNegative: false)
        let (first, last) = times.references(grid)
        guard
            let scan = try run.scan(
                selector.selector.matchers, from: first &- width &+ 1, through: last, labels: labels,
                remembering: &selection)
        else { return nil }
        return Scan(scan: scan, times: times, width: width, resolvesHints: resolvesHints, name: singleName)
    }

    /// The set of series of a scan for which all labels were requested.
    func set(of scan: Scan) -> SeriesSet? { selected.set(of: scan.scan.selection) }

    func load(_ run: Run, over grid: Grid) throws(QueryError) -> Contents {
        switch origin {
        case .selector(let selector): try load(selector, run, over: grid)
        case .subquery(let subquery, let inner): try load(subquery, inner, run, over: grid)
        }
    }

    private func load(_ selector: MatrixSelector, _ run: Run, over grid: Grid) throws(QueryError) -> Contents {
        let times = try SampleTimes(offset: selector.selector.offset, at: selector.selector.at, run: run)
        let width = try selector.window.resolved(run, mayBeNegative: false)
        let lookback = run.options.lookback.rawValue
        let before = selector.selector.rangeExtension == nil ? 0 : lookback
        let after = selector.selector.rangeExtension == .smoothed ? lookback : 0
        let (first, last) = times.references(grid)
        let found = try run.select(
            selector.selector.matchers, from: first &- width &- before &+ 1, through: last &+ after)
        let set = SeriesSet(found.map(\.labels))
        let withStarts = run.options.useStartTimestamps
        return Contents(
            set: set,
            series: { [resolvesHints] row in
                RangeSeries(found[row], withStarts: withStarts, resolvesHints: resolvesHints)
            }, times: times, width: width,
            before: before, after: after)
    }

    private func load(
        _ subquery: Subquery, _ inner: any PlanNode, _ run: Run, over grid: Grid
    ) throws(QueryError) -> Contents {
        let times = try SampleTimes(offset: subquery.offset, at: subquery.at, run: run)
        let width = try subquery.window.resolved(run, mayBeNegative: false)
        let step = try subquery.step?.resolved(run, mayBeNegative: false) ?? run.options.defaultSubqueryStep.rawValue
        guard step > 0 else { throw .execution("zero or negative subquery step") }
        let (first, last) = times.references(grid)
        // The first multiple of the step after the start of the earliest window.
        let earliest = first &- width
        var start = step &* (earliest / step)
        if start <= earliest { start = start &+ step }
        let inside = Grid(start: start, end: last, step: step)
        guard inside.count <= run.options.maximumSamples else { throw .tooManySamples }
        let block = try run.evaluate(inner, over: inside)
        return Contents(
            set: block.series, series: { RangeSeries(block, row: $0, grid: inside) },
            times: times, width: width)
    }
}
