internal import MetricModel

/// The value of an expression over a grid: a dense table with a row per series and a column per step.
///
/// Rows are stored one after the other, so that a row is a contiguous sequence of doubles. A cell is empty, a float or
/// a histogram. Histograms are in a separate list, and the value of their cell is an index. A scalar is a block with
/// one row without labels.
struct Block {
    /// The content of a cell.
    enum Kind {
        static let none: UInt8 = 0
        static let float: UInt8 = 1
        static let histogram: UInt8 = 2
    }

    var series: SeriesSet
    /// Number of columns.
    let width: Int
    /// One value per cell.
    var values: [Double]
    /// One `Kind` per cell.
    var kinds: [UInt8]
    /// The histograms of cells. May include unused ones.
    var histograms: [FloatHistogram] = []

    /// A block of empty cells.
    init(_ series: SeriesSet, width: Int) {
        self.series = series
        self.width = width
        values = [Double](repeating: 0, count: series.count * width)
        kinds = [UInt8](repeating: Kind.none, count: series.count * width)
    }

    /// The same for a block that may be so large that creating it takes time. Stops if `run` is cancelled.
    init(_ series: SeriesSet, width: Int, _ run: Run) throws(QueryError) {
        let count = series.count * width
        self.series = series
        self.width = width
        values = []
        kinds = []
        values.reserveCapacity(count)
        kinds.reserveCapacity(count)
        while values.count < count {
            let piece = min(Self.cellsAtATime, count - values.count)
            values.append(contentsOf: repeatElement(0, count: piece))
            kinds.append(contentsOf: repeatElement(Kind.none, count: piece))
            if values.count < count { try run.check() }
        }
    }

    private static let cellsAtATime = 1 << 18

    /// A block of empty cells whose rows have no series.
    init(unnamedRows rows: Int, width: Int) {
        series = SeriesSet([])
        self.width = width
        values = [Double](repeating: 0, count: rows * width)
        kinds = [UInt8](repeating: Kind.none, count: rows * width)
    }

    /// A scalar with a value for each column.
    init(scalar values: [Double], series: SeriesSet) {
        self.series = series
        width = values.count
        self.values = values
        kinds = [UInt8](repeating: Kind.float, count: values.count)
    }

    var rows: Int { series.count }
    /// Whether it may contain histograms.
    var hasHistograms: Bool { !histograms.isEmpty }

    func cell(_ row: Int, _ column: Int) -> Int { row * width + column }
    func cells(of row: Int) -> Range<Int> { row * width..<(row + 1) * width }

    /// The histogram of a cell, `nil` for other cells.
    func histogram(at cell: Int) -> FloatHistogram? {
        kinds[cell] == Kind.histogram ? histograms[Int(values[cell])] : nil
    }

    mutating func set(_ cell: Int, to value: Double) {
        values[cell] = value
        kinds[cell] = Kind.float
    }

    mutating func set(_ cell: Int, to histogram: FloatHistogram) {
        values[cell] = Double(histograms.count)
        kinds[cell] = Kind.histogram
        histograms.append(histogram)
    }

    mutating func set(_ cell: Int, to sample: Sample) {
        switch sample {
        case .float(let value): set(cell, to: value)
        case .histogram(let histogram): set(cell, to: histogram)
        }
    }

    /// The sample of a cell that is not empty.
    func sample(at cell: Int) -> Sample? {
        switch kinds[cell] {
        case Kind.none: nil
        case Kind.float: .float(values[cell])
        default: .histogram(histograms[Int(values[cell])])
        }
    }

    mutating func clear(_ cell: Int) { kinds[cell] = Kind.none }

    /// Empties the first `rows` rows.
    mutating func clear(rows: Int) {
        let count = rows * width
        var kinds = kinds.mutableSpan
        for cell in 0..<count { kinds[cell] = Kind.none }
        histograms.removeAll(keepingCapacity: true)
    }

    /// The number of samples in memory: one for a float, more for a histogram, depending on its size.
    var sampleCount: Int {
        var count = 0
        for kind in kinds where kind != Kind.none { count += 1 }
        for histogram in histograms { count += histogram.sampleSize }
        return count
    }

    /// The rows with these indices, in that order.
    func selecting(_ rows: [Int], series: SeriesSet) -> Block {
        var result = Block(series, width: width)
        for (target, source) in rows.enumerated() {
            for column in 0..<width {
                result.values[target * width + column] = values[source * width + column]
                result.kinds[target * width + column] = kinds[source * width + column]
            }
        }
        result.histograms = histograms
        return result
    }

    /// This block of one column, repeated `count` times.
    func repeated(_ count: Int) -> Block {
        if count == 1 { return self }
        var result = Block(series, width: count)
        for row in 0..<rows {
            for cell in result.cells(of: row) {
                result.values[cell] = values[row]
                result.kinds[cell] = kinds[row]
            }
        }
        result.histograms = histograms
        return result
    }

    /// Merges rows with equal labels.
    ///
    /// - Parameter exclusive: whether two such rows must not both have samples, even in different columns.
    /// - Throws: `QueryError.execution` if two of them have a sample in the same column.
    func merged(exclusive: Bool = false) throws(QueryError) -> Block {
        guard let (set, target) = series.merging else { return self }
        var result = Block(set, width: width)
        result.histograms = histograms
        var owner = [Int](repeating: -1, count: set.count)
        for row in 0..<rows {
            for column in 0..<width where kinds[row * width + column] != Kind.none {
                let cell = target[row] * width + column
                let first = owner[target[row]] == -1 || owner[target[row]] == row
                if result.kinds[cell] != Kind.none || (exclusive && !first) {
                    throw .execution("vector cannot contain metrics with the same labelset")
                }
                owner[target[row]] = row
                result.values[cell] = values[row * width + column]
                result.kinds[cell] = kinds[row * width + column]
            }
        }
        return result
    }
}

/// One sample's value. Histograms are boxed, so that passing floats around stays cheap.
enum Sample {
    case float(Double)
    indirect case histogram(FloatHistogram)
}

extension FloatHistogram {
    /// The number of float samples of 16 bytes that take the same memory.
    var sampleSize: Int {
        let buckets = positiveBuckets.count + negativeBuckets.count + customValues.count
        return (176 + 8 * (buckets + positiveSpans.count + negativeSpans.count)) / 16
    }
}
