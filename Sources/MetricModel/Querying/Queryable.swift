/// A source of samples that expressions can be evaluated over: the local store, samples in memory, or remote servers.
///
/// ``select(_:from:through:sampleLimit:)`` is all that a source must offer. The other requirement is a shortcut of
/// the local store, which finds series once and then reads many of them together. May be called from any thread.
public protocol Queryable: Sendable {
    /// The samples of all matching series in the closed window `from...through`, staleness markers included.
    ///
    /// Each label set occurs once. Series without a sample in the window are left out.
    func select(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, sampleLimit: Int
    ) throws(SelectError) -> [SeriesSamples]

    /// The same series, to be read piece by piece; `nil` if the source has no such way of reading.
    ///
    /// - Parameter selection: The result of the last call with the same matchers; the source uses it again if the same
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

/// Which labels of the selected series are needed.
public enum LabelDemand: Hashable, Sendable {
    /// The labels of each series.
    case each
    /// Only which series agree on the labels called `names`, or, `without` them, on all others.
    ///
    /// Groups are numbers; labels are made for each group, not for each series.
    case groups(names: [String], without: Bool)
}

/// The labels of selected series, as they were asked for.
public enum SelectedLabels: Sendable {
    /// By series.
    case each([Labels])
    /// The group of each series, and the labels of each group.
    case groups([UInt32], [Labels])
}

/// The series that matchers select.
///
/// Immutable, and compared by identity: a source gives the same object again as long as the same series match, so that
/// whatever is derived from a set of series can be kept with it.
public protocol SeriesSelection: AnyObject, Sendable {
    /// The number of series.
    var count: Int { get }
    /// The labels of the series.
    var labelling: SelectedLabels { get }
    /// Whether the name of a series may be changed by labels that hold its type or unit.
    var mayHaveMetadataLabels: Bool { get }
    /// Whether all series have the same name, and differ in other labels than those that describe a metric.
    var isOneMetric: Bool { get }
    /// Roughly how much memory this takes, with what is usually derived from the labels.
    var retainedBytes: Int { get }
}

/// What one query reads: the selected series, each up to the same moment, as they were when the scan was made.
///
/// Series with common timestamps can be read together (``read(_:of:into:)``); all can be read one by one
/// (``samples(of:)``). Used by one thread at a time.
public protocol SeriesScan: AnyObject {
    /// The series.
    var selection: any SeriesSelection { get }
    /// The blocks of series that can be read together.
    var blocks: [SeriesBlock] { get }
    /// The series that are in no block, ascending.
    var others: [Int] { get }

    /// The times of the rows of `block`, ascending. Rows before and after the scan's window may be among them.
    func times(of block: SeriesBlock) -> [Int64]

    /// Reads `rows` of a block, which must not be empty and lie within its times.
    func read(_ rows: Range<Int>, of block: SeriesBlock, into tile: inout SampleTile)

    /// The samples of one series, staleness markers included, without labels.
    func samples(of series: Int) -> SeriesSamples
}

/// Neighbouring series of a selection that share their timestamps.
public struct SeriesBlock: Sendable {
    /// Their numbers in the selection; at most 256.
    public var series: Range<Int>
    /// Blocks with the same number share their timestamps.
    public var lane: Int
    /// The source's own number of the block.
    public var index: Int

    /// A block of a source.
    public init(series: Range<Int>, lane: Int, index: Int) {
        self.series = series
        self.lane = lane
        self.index = index
    }
}

/// Why a source of series could not answer.
public struct SelectError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: Equatable, Sendable {
        /// A matcher's pattern does not compile.
        case badMatcher
        /// The answer would hold more samples than the caller allows.
        case sampleLimit
        /// The source is closed or cannot be reached.
        case unavailable
    }

    /// The kind of failure.
    public var code: Code
    /// What happened.
    public var message: String

    /// The message.
    public var description: String { message }

    /// A failure with its message.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
