public import MetricModel

/// The samples that one query reads: the selected series, each up to the same row of its lane, as they were when the
/// scan was created.
///
/// Series of a lane whose samples are in rows can be read together, block by block. Nothing is decoded before it is
/// requested. Owned by one thread. Keeps the data that it reads alive.
public final class StoreScan: SeriesScan {
    let selected: StoreSelection
    private let windows: [LaneWindow]
    /// The blocks that can be read together.
    public let blocks: [SeriesBlock]
    private let from: Int64
    private let through: Int64

    init(_ selected: StoreSelection, _ windows: [LaneWindow], from: Int64, through: Int64) {
        self.from = from
        self.through = through
        self.selected = selected
        self.windows = windows
        blocks = selected.bundles.indices.compactMap { index in
            let bundle = selected.bundles[index]
            return windows[bundle.lane].isUniform
                ? SeriesBlock(series: bundle.series, lane: bundle.lane, index: index) : nil
        }
    }

    /// The series.
    public var selection: any SeriesSelection { selected }

    /// The indices of the series in no block, ascending.
    public var others: [Int] {
        var others: [Int] = []
        for bundle in selected.bundles where !windows[bundle.lane].isUniform { others += bundle.series }
        return others + (selected.columns.count..<selected.count)
    }

    /// The times of the rows of `block`, ascending. May include rows before and after the scan's window.
    public func times(of block: SeriesBlock) -> [Int64] { windows[block.lane].rowTimes }

    /// Reads `rows` of a block. `rows` must not be empty and must be within its times.
    public func read(_ rows: Range<Int>, of block: SeriesBlock, into tile: inout SampleTile) {
        windows[block.lane].read(rows, of: selected.bundles[block.index], in: selected, into: &tile)
    }

    /// The samples of one series, including staleness markers, without labels.
    ///
    /// If two lanes have a sample at the same time, the one of the older lane is used.
    public func samples(of series: Int) -> SeriesSamples {
        var samples = ReadSamples()
        selected.forEachPart(of: series) { part in
            let read = windows[part.lane].read(part.location, part.companions)
            if samples.count == 0 { samples = read } else { samples.merge(read) }
        }
        return SeriesSamples(
            labels: .empty, timestamps: samples.timestamps, values: samples.values, histograms: samples.histograms)
    }

    /// Whether `time` is in the window.
    func contains(_ time: Int64) -> Bool { time >= from && time <= through }

    /// Whether the series has samples in the window. For sealed chunks completely in the window it is enough that they
    /// hold the series.
    func overlaps(_ series: Int) -> Bool {
        var result = false
        selected.forEachPart(of: series) { part in
            result = result || windows[part.lane].overlaps(part.location, part.companions)
        }
        return result
    }
}
