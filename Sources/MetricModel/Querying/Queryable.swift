/// A source of samples that expressions can be evaluated over: the local store, samples in memory, or remote servers.
///
/// ``select(_:from:through:sampleLimit:)`` is the only requirement. The other one is a faster path of the local store,
/// which finds series once and then reads many of them together. May be called from any thread.
public protocol Queryable: Sendable {
    /// The samples of all matching series in the closed window `from...through`, including staleness markers.
    ///
    /// Each label set occurs once. Series without a sample in the window are omitted.
    func select(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, sampleLimit: Int
    ) throws(SelectError) -> [SeriesSamples]

    /// The same series, for reading piece by piece; `nil` if the source does not support it.
    ///
    /// - Parameter selection: the result of the last call with the same matchers. The source reuses it if the same
    ///   series match, and otherwise replaces it.
    func scan(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, labels: LabelDemand,
        remembering selection: inout (any SeriesSelection)?
    ) throws(SelectError) -> (any SeriesScan)?
}

extension Queryable {
    /// No scan.
    public func scan(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, labels: LabelDemand,
        remembering selection: inout (any SeriesSelection)?
    ) throws(SelectError) -> (any SeriesScan)? { nil }
}

/// The labels of the selected series that are needed.
public enum LabelDemand: Hashable, Sendable {
    /// The labels of each series.
    case each
    /// Only the groups of series that agree on the labels in `names`, or, if `without`, on all other labels.
    ///
    /// Groups are numbers. Labels are created for each group, not for each series.
    case groups(names: [String], without: Bool)
}

/// The labels of selected series, as requested.
public enum SelectedLabels: Sendable {
    /// By series.
    case each([Labels])
    /// The group of each series, and the labels of each group.
    case groups([UInt32], [Labels])
}

/// The series that matchers select.
///
/// Immutable, and compared by identity: a source returns the same object while the same series match, so that data
/// derived from a set of series can be cached with it.
public protocol SeriesSelection: AnyObject, Sendable {
    /// The number of series.
    var count: Int { get }
    /// The labels of the series.
    var labelling: SelectedLabels { get }
    /// Whether labels with type or unit may be removed together with the name.
    var mayHaveMetadataLabels: Bool { get }
    /// Whether all series have the same name and differ in labels other than type and unit.
    var isOneMetric: Bool { get }
    /// The approximate memory of this and of data usually derived from the labels.
    var retainedBytes: Int { get }
}

/// The data that one query reads: the selected series, each up to the same time, as they were when the scan was
/// created.
///
/// Series with common timestamps can be read together (``read(_:of:into:)``); all can be read one by one
/// (``samples(of:)``). Used by one thread at a time.
public protocol SeriesScan: AnyObject {
    /// The series.
    var selection: any SeriesSelection { get }
    /// The blocks of series that can be read together.
    var blocks: [SeriesBlock] { get }
    /// The series in no block, ascending.
    var others: [Int] { get }

    /// The times of the rows of `block`, ascending. May include rows before and after the scan's window.
    func times(of block: SeriesBlock) -> [Int64]

    /// Reads `rows` of a block. `rows` must not be empty and must be within its times.
    func read(_ rows: Range<Int>, of block: SeriesBlock, into tile: inout SampleTile)

    /// The samples of one series, including staleness markers, without labels.
    func samples(of series: Int) -> SeriesSamples
}

/// Adjacent series of a selection with common timestamps.
public struct SeriesBlock: Sendable {
    /// Their indices in the selection; at most 256.
    public var series: Range<Int>
    /// Blocks with the same number have the same timestamps.
    public var lane: Int
    /// The source's own index of the block.
    public var index: Int

    /// A block of a source.
    public init(series: Range<Int>, lane: Int, index: Int) {
        self.series = series
        self.lane = lane
        self.index = index
    }
}

/// Why series could not be read.
public struct SelectError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: Equatable, Sendable {
        /// A matcher's pattern does not compile.
        case badMatcher
        /// The result would have more samples than the caller allows.
        case sampleLimit
        /// The source is closed or cannot be reached.
        case unavailable
    }

    /// The kind of failure.
    public var code: Code
    /// The message.
    public var message: String

    /// The message.
    public var description: String { message }

    /// A failure with its message.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
