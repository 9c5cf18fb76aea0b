internal import MetricModel

/// A node whose rows are series of a store and can be computed a few at a time, without holding all of them.
protocol SeriesRowsNode: PlanNode {
    /// The rows over `grid`; `nil` if they cannot be read in this way, or if labels are needed to distinguish rows.
    ///
    /// - Parameter grouping: the grouping applied to the rows, if their labels have no other use.
    func rows(_ run: Run, over grid: Grid, groupedBy grouping: Grouping) throws(QueryError) -> SeriesRows?
}

/// The rows of one evaluation over scanned series, in pieces of adjacent series.
struct SeriesRows {
    /// Adjacent rows.
    struct Piece {
        var rows: Range<Int>
        /// The block to read them from; `nil` if they must be read one by one.
        var block: SeriesBlock?
    }

    /// Computes the rows of a piece into the rows of a block, starting at a given one.
    typealias Filling = (_ piece: Piece, _ block: inout Block, _ row: Int) throws(QueryError) -> Void

    /// The maximum number of rows in a piece.
    static let longest = 256

    let scan: any SeriesScan
    let pieces: [Piece]
    private let filling: Filling

    init(_ scan: any SeriesScan, filling: @escaping Filling) {
        self.scan = scan
        self.filling = filling
        var pieces = scan.blocks.map { Piece(rows: $0.series, block: $0) }
        for row in scan.others {
            if let last = pieces.last, last.block == nil, last.rows.upperBound == row, last.rows.count < Self.longest {
                pieces[pieces.count - 1].rows = last.rows.lowerBound..<row + 1
            } else {
                pieces.append(Piece(rows: row..<row + 1, block: nil))
            }
        }
        self.pieces = pieces
    }

    /// Computes `piece` into `block`, whose rows from `row` on must be empty.
    func fill(_ piece: Piece, into block: inout Block, at row: Int) throws(QueryError) {
        try filling(piece, &block, row)
    }

    /// All rows in one block.
    func whole(_ set: SeriesSet, width: Int, _ run: Run) throws(QueryError) -> Block {
        var block = try Block(set, width: width, run)
        for piece in pieces {
            try run.check()
            try fill(piece, into: &block, at: piece.rows.lowerBound)
        }
        return block
    }
}

/// The buffers into which blocks of series are read, and data about their lane; kept from block to block.
final class TileReader<LaneSteps> {
    let scan: any SeriesScan
    private(set) var tile = SampleTile()
    private var lane: (id: Int, steps: LaneSteps)?

    init(_ scan: any SeriesScan) {
        self.scan = scan
    }

    /// The result of `make` for the times of the block's lane, computed once for adjacent blocks of a lane.
    func steps(of block: SeriesBlock, _ make: ([Int64]) -> LaneSteps) -> LaneSteps {
        if let lane, lane.id == block.lane { return lane.steps }
        let steps = make(scan.times(of: block))
        lane = (block.lane, steps)
        return steps
    }

    func read(_ rows: Range<Int>, of block: SeriesBlock) {
        scan.read(rows, of: block, into: &tile)
    }
}
