internal import MetricModel

/// Range functions that can evaluate a whole tile.
///
/// If every series has a sample in every row, all windows of a step have the same times. What depends only on the times
/// is computed once per step; little more than a subtraction is left for each series.
extension RangeKernels {
    /// Fills the rows of a block from `row` on with the series of a tile that it supports, and removes them from
    /// `rest`.
    ///
    /// - Returns: the number of series.
    typealias TileKernel =
        @Sendable (_ tile: SampleTile, _ steps: RangeSteps, _ block: inout Block, _ row: Int, _ rest: inout [Bool])
        -> Int

    /// `rate`, `increase` and `delta` of series without missing samples and, for counters, without resets.
    static func tileRate(_ kind: RateKind) -> TileKernel {
        { tile, steps, block, row, rest in
            var done = 0
            let width = steps.steps.count
            let needed = steps.rows.lowerBound - tile.firstRow..<steps.rows.upperBound - tile.firstRow
            unsafe tile.values.withUnsafeBufferPointer { all in
                unsafe block.values.withUnsafeMutableBufferPointer { values in
                    unsafe block.kinds.withUnsafeMutableBufferPointer { kinds in
                        for series in 0..<tile.count where tile.isComplete[series] {
                            let column = unsafe UnsafeBufferPointer(
                                rebasing: all[series * tile.stride..<(series + 1) * tile.stride])
                            guard unsafe isPlain(column, needed, isCounter: kind.isCounter) else { continue }
                            rest[series] = false
                            done += 1
                            let cell = (row + series) * width
                            for step in 0..<width {
                                let rows = steps.steps[step].rows
                                if rows.count < 2 { continue }
                                let first = unsafe column[rows.lowerBound - tile.firstRow]
                                let increase = unsafe column[rows.upperBound - 1 - tile.firstRow] - first
                                var extrapolation = steps.extrapolations[step]
                                if kind.isCounter, increase > 0, first >= 0 {
                                    extrapolation.limitStart(ratio: first / increase)
                                }
                                let seconds = Double(steps.steps[step].end &- steps.steps[step].start) / 1000
                                unsafe values[cell + step] = increase * extrapolation.factor(seconds, kind)
                                unsafe kinds[cell + step] = Block.Kind.float
                            }
                        }
                    }
                }
            }
            return done
        }
    }

    /// A function of the values in a window, of series without missing samples and without NaNs.
    static func tileReduction(_ reduce: @escaping @Sendable (Span<Double>) -> Double) -> TileKernel {
        { tile, steps, block, row, rest in
            var done = 0
            let width = steps.steps.count
            let needed = steps.rows.lowerBound - tile.firstRow..<steps.rows.upperBound - tile.firstRow
            let all = tile.values.span
            for series in 0..<tile.count where tile.isComplete[series] {
                let column = all.extracting(series * tile.stride..<(series + 1) * tile.stride)
                guard isWithoutNaN(column.extracting(needed)) else { continue }
                rest[series] = false
                done += 1
                let cell = (row + series) * width
                for step in 0..<width {
                    let rows = steps.steps[step].rows
                    if rows.isEmpty { continue }
                    let own = rows.lowerBound - tile.firstRow..<rows.upperBound - tile.firstRow
                    block.values[cell + step] = reduce(column.extracting(own))
                    block.kinds[cell + step] = Block.Kind.float
                }
            }
            return done
        }
    }

    private static func isWithoutNaN(_ values: Span<Double>) -> Bool {
        var found: UInt64 = 0
        for index in values.indices {
            let value = values[index]
            found |= value == value ? 0 : 1
        }
        return found == 0
    }

    /// Whether no value is a staleness marker and, for a counter, none is less than the previous one. Other NaNs also
    /// return false.
    private static func isPlain(_ values: UnsafeBufferPointer<Double>, _ rows: Range<Int>, isCounter: Bool) -> Bool {
        var previous = unsafe values[rows.lowerBound]
        var isPlain = previous == previous
        for row in rows {
            let value = unsafe values[row]
            isPlain = isPlain && (isCounter ? value >= previous : value == value)
            previous = value
        }
        return isPlain
    }
}
