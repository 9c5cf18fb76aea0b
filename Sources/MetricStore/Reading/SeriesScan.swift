public import MetricModel

/// What one query reads: the selected series, each up to the same row of its lane, as they were when the scan was made.
///
/// Series of a lane whose samples lie in rows can be read together, block by block (``read(_:of:into:)``); all can be read one
/// by one (``samples(of:)``). Nothing is decoded before it is asked for. Owned by one thread; keeps what it reads alive.
public final class SeriesScan {
    /// The series.
    public let selection: SeriesSelection
    private let windows: [LaneWindow]
    /// The blocks that can be read together, with the rows of the selection in each.
    public let blocks: [Block]

    /// Series that can be read together.
    public struct Block: Sendable {
        /// Rows of the selection, at most 256.
        public var series: Range<Int>
        fileprivate var bundle: Int
        /// Tells blocks apart that do not share their times.
        public var lane: Int
    }

    private let from: Int64
    private let through: Int64

    init(_ selection: SeriesSelection, _ windows: [LaneWindow], from: Int64, through: Int64) {
        self.from = from
        self.through = through
        self.selection = selection
        self.windows = windows
        blocks = selection.bundles.indices.compactMap { index in
            let bundle = selection.bundles[index]
            return windows[bundle.lane].isUniform
                ? Block(series: bundle.rows, bundle: index, lane: bundle.lane) : nil
        }
    }

    /// Rows of the selection that lie in no block, ascending.
    public var others: [Int] {
        var rows: [Int] = []
        for bundle in selection.bundles where !windows[bundle.lane].isUniform { rows += bundle.rows }
        return rows + (selection.columns.count..<selection.count)
    }

    /// The times of the rows of `block`, ascending. Rows before and behind the scan's window may be among them.
    public func times(of block: Block) -> [Int64] { windows[block.lane].rowTimes }

    /// Reads `rows` of a block, which must not be empty and lie within its times.
    public func read(_ rows: Range<Int>, of block: Block, into tile: inout SampleTile) {
        windows[block.lane].read(rows, of: selection.bundles[block.bundle], in: selection, into: &tile)
    }

    /// The samples of one series, staleness markers included; labels are left out.
    ///
    /// Where two lanes have a sample at the same time, the older lane's counts.
    public func samples(of series: Int) -> SeriesSamples {
        var samples = ReadSamples()
        selection.forEachPart(of: series) { part in
            let read = windows[part.lane].read(part.location, part.companions)
            if samples.count == 0 { samples = read } else { samples.merge(read) }
        }
        return SeriesSamples(
            labels: .empty, timestamps: samples.timestamps, values: samples.values, histograms: samples.histograms)
    }

    /// Whether `time` lies in the window.
    func contains(_ time: Int64) -> Bool { time >= from && time <= through }

    /// Whether a chunk that overlaps the window may hold samples of the series.
    func overlaps(_ series: Int) -> Bool {
        var result = false
        selection.forEachPart(of: series) { result = result || windows[$0.lane].overlaps($0.location) }
        return result
    }
}
