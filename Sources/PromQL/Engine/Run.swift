internal import MetricModel

/// One running evaluation: the source of samples, the annotations so far, and the limits.
///
/// Confined to the thread that evaluates.
final class Run {
    let source: any Queryable
    let options: EngineOptions
    /// First and last evaluation time and step of the whole query. The step of an instant query is 0.
    let start: Int64
    let end: Int64
    let step: Int64
    var annotations = Annotations()
    var statistics = QueryStatistics()
    private let cancellation: QueryCancellation?
    private let deadline: ContinuousClock.Instant?
    private var held = 0
    private var keptText = 0
    /// The approximate memory that the plan keeps of the store's selections.
    private(set) var retainedBytes = 0

    init(
        source: any Queryable, options: EngineOptions, start: Int64, end: Int64, step: Int64,
        cancellation: QueryCancellation?
    ) {
        self.source = source
        self.options = options
        self.start = start
        self.end = end
        self.step = step
        self.cancellation = cancellation
        deadline = options.timeout.map { ContinuousClock.now + .milliseconds($0.rawValue) }
    }

    /// Throws if the evaluation was cancelled or has timed out.
    func check() throws(QueryError) {
        if let cancellation, cancellation.isCancelled { throw .cancelled }
        if let deadline, ContinuousClock.now > deadline { throw .timeout }
    }

    /// The value of `node`. Samples held by its parts are no longer counted afterwards.
    func evaluate(_ node: any PlanNode, over grid: Grid) throws(QueryError) -> Block {
        try check()
        if grid.count == 0 { return Block(SeriesSet([]), width: 0) }
        let before = held
        let block = try node.evaluate(self, over: grid)
        held = before
        try hold(block.sampleCount)
        return block
    }

    /// Merges rows of a result that have equal labels.
    ///
    /// At a single step with delayed name removal, this happens at the end, when all names were removed.
    func settled(_ block: Block) throws(QueryError) -> Block {
        block.width == 1 && options.delayedNameRemoval ? block : try block.merged()
    }

    /// Adds `samples` to the samples in memory.
    func hold(_ samples: Int) throws(QueryError) {
        held += samples
        statistics.peakSamples = max(statistics.peakSamples, held)
        if held > options.maximumSamples { throw .tooManySamples }
    }

    /// Adds bytes of text that series get in addition to the source's. They are kept until the query ends.
    func keep(text bytes: Int) throws(QueryError) {
        keptText += bytes
        // A sample takes 16 bytes.
        if keptText / 16 > options.maximumSamples { throw .tooManySamples }
    }

    /// Throws if a table with this number of cells would be too large.
    ///
    /// Empty cells are not samples, but take memory: the same number of them is allowed in addition.
    func allow(rows: Int, width: Int) throws(QueryError) {
        let (cells, overflow) = rows.multipliedReportingOverflow(by: width)
        if overflow || cells / 2 > options.maximumSamples { throw .tooManySamples }
    }

    /// Adds `samples` used by an evaluation step.
    func used(_ samples: Int) { statistics.totalSamples += samples }

    /// The samples of the matching series with `from <= timestamp <= through`.
    func select(_ matchers: [Matcher], from: Int64, through: Int64) throws(QueryError) -> [SeriesSamples] {
        try check()
        do {
            return try source.select(
                matchers, from: Timestamp(milliseconds: from), through: Timestamp(milliseconds: through),
                sampleLimit: options.maximumSamples)
        } catch {
            throw QueryError(error)
        }
    }

    /// The same, for reading piece by piece; `nil` if the source does not support it.
    ///
    /// - Parameter selection: the series that the source found for these matchers in the previous evaluation.
    func scan(
        _ matchers: [Matcher], from: Int64, through: Int64, labels: LabelDemand,
        remembering selection: inout (any SeriesSelection)?
    ) throws(QueryError) -> (any SeriesScan)? {
        try check()
        do {
            let scan = try source.scan(
                matchers, from: Timestamp(milliseconds: from), through: Timestamp(milliseconds: through),
                labels: labels, remembering: &selection)
            retainedBytes += scan?.selection.retainedBytes ?? 0
            return scan
        } catch {
            throw QueryError(error)
        }
    }
}

extension QueryError {
    fileprivate init(_ error: SelectError) {
        self = error.code == .sampleLimit ? .tooManySamples : .execution("expanding series: \(error.message)")
    }
}
