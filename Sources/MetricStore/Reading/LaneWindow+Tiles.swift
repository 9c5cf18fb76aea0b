internal import MetricModel

extension LaneWindow {
    /// Reads `rows`, as indices in `rowTimes`, of the series in `bundle`. Only for uniform windows.
    func read(
        _ rows: Range<Int>, of bundle: StoreSelection.Bundle, in selection: StoreSelection,
        into tile: inout SampleTile
    ) {
        let touched = touchedViews(rows)
        let base = start(of: touched.lowerBound)
        let end = end(of: touched.upperBound - 1)
        tile.prepare(
            times: Array(rowTimes[base..<end]), firstRow: base, chunkStarts: touched.map { start(of: $0) - base },
            // Decoding writes whole chunks.
            stride: start(of: touched.upperBound - 1) - base + ColumnCodec.rows, count: bundle.series.count)
        for view in touched {
            let start = start(of: view)
            let local = max(rows.lowerBound - start, 0)..<min(rows.upperBound - start, rowCount(of: view))
            read(
                local, ofView: view, bundle, selection, at: start - base, chunk: view - touched.lowerBound,
                into: &tile)
        }
    }

    private func read(
        _ rows: Range<Int>, ofView view: Int, _ bundle: StoreSelection.Bundle, _ selection: StoreSelection,
        at offset: Int, chunk: Int, into tile: inout SampleTile
    ) {
        let wanted = ColumnCodec.everyRow(rows.upperBound) & ~ColumnCodec.everyRow(rows.lowerBound)
        let number = number(of: view)
        let isWhole = number >= Int(bundle.birth) && number <= Int(bundle.death)
        let stride = tile.stride
        unsafe withUnsafeTemporaryAllocation(of: RowMask.self, capacity: bundle.series.count) { masks in
            unsafe masks.initialize(repeating: 0)
            unsafe tile.withValues { values in
                unsafe columns(
                    selection.columns[bundle.series], block: bundle.block, rows, ofView: view,
                    into: values + offset, stride: stride, masks.baseAddress!)
            }
            if !isWhole {
                for (index, series) in bundle.series.enumerated() {
                    let isAlive = number >= Int(selection.births[series]) && number <= Int(selection.deaths[series])
                    // Before its birth and after its death the slot belongs to another series.
                    if !isAlive { unsafe masks[index] = 0 }
                }
            }
            unsafe tile.note(masks.baseAddress!, wanted: wanted, chunk: chunk)
        }
    }
}
