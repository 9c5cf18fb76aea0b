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
        var chunkStarts: [Int] = []
        for view in touched {
            for group in 0..<groupCount(of: view) {
                chunkStarts.append(start(of: view) - base + group * RowMask.bitWidth)
            }
        }
        tile.prepare(
            times: Array(rowTimes[base..<end]), firstRow: base, chunkStarts: chunkStarts,
            // Decoding writes whole chunks and stretches.
            stride: touched.reduce(0) { max($0, start(of: $1) - base + writtenRows(of: $1)) },
            count: bundle.series.count)
        var chunk = 0
        for view in touched {
            let start = start(of: view)
            let local = max(rows.lowerBound - start, 0)..<min(rows.upperBound - start, rowCount(of: view))
            read(local, ofView: view, bundle, selection, at: start - base, chunk: chunk, into: &tile)
            chunk += groupCount(of: view)
        }
    }

    private func read(
        _ rows: Range<Int>, ofView view: Int, _ bundle: StoreSelection.Bundle, _ selection: StoreSelection,
        at offset: Int, chunk: Int, into tile: inout SampleTile
    ) {
        let count = bundle.series.count
        let groups = groupCount(of: view)
        let isWhole = alive(bundle.birth, bundle.death, ofView: view) == 0..<rowCount(of: view)
        let stride = tile.stride
        unsafe withUnsafeTemporaryAllocation(of: RowMask.self, capacity: count * max(groups, 1)) { masks in
            unsafe masks.initialize(repeating: 0)
            unsafe tile.withValues { values in
                unsafe columns(
                    selection.columns[bundle.series], block: bundle.block, rows, ofView: view,
                    into: values + offset, stride: stride, masks.baseAddress!)
            }
            if !isWhole {
                for (index, series) in bundle.series.enumerated() {
                    // Before its birth and after its death the slot belongs to another series.
                    let own = alive(selection.births[series], selection.deaths[series], ofView: view)
                    for group in 0..<groups { unsafe masks[group * count + index] &= Self.mask(own, group) }
                }
            }
            for group in 0..<groups {
                unsafe tile.note(
                    masks.baseAddress! + group * count, wanted: Self.mask(rows, group), chunk: chunk + group)
            }
        }
    }
}
