internal import MetricModel
internal import Synchronization

/// The view of one query on one lane: the rows committed when the query began, in the chunks that overlap its window.
///
/// All series are read up to the same row, so that a query never sees part of a scrape.
final class LaneWindow {
    /// One chunk in the window, or the chunks of a stretch.
    @safe private struct View {
        /// The first chunk.
        let number: Int
        /// Rows committed when the query began.
        let rowCount: Int
        /// `nil` for a stretch, and for the chunk being written.
        var record: ChunkRecord?
        var stretch: StretchReader?
        let times: [Int64]
        /// The rows with times in the window; valid only if the window is uniform.
        var rows: Range<Int> = 0..<0
        /// The number of rows in the views before this one.
        var start = 0

        /// The number of masks for its rows.
        var groupCount: Int { (rowCount + RowMask.bitWidth - 1) / RowMask.bitWidth }
    }

    private let lane: Lane
    private let active: ActiveChunk?
    private let pins: SegmentPins
    private let from: Int64
    private let through: Int64
    private var views: [View] = []
    /// Whether the times of rows increase, so that the rows in the window are contiguous.
    private(set) var isUniform = true
    /// The times of all rows in view, for a uniform window. The first and the last may be outside the window.
    private(set) var rowTimes: [Int64] = []
    /// The times of the rows in the window, if it is uniform.
    private var times: [Int64] = []
    private var masks: [RowMask] = []
    /// The rows of the longest view, with those that decoding may write behind them.
    private var room = ColumnCodec.rows

    /// - Parameters:
    ///   - active: the lane's active chunk, read under the index lock together with `head`.
    ///   - head: rows committed.
    init(_ lane: Lane, _ active: ActiveChunk?, head: Int, pins: SegmentPins, from: Int64, through: Int64) {
        self.lane = lane
        self.active = active
        self.pins = pins
        self.from = from
        self.through = through
        // The newest time never decreases from one chunk to the next, so the walk ends at the first chunk that is too
        // old.
        var number = (head - 1) / ColumnCodec.rows
        let lowest = pins.oldestChunk(of: lane)
        while head > 0, number >= lowest {
            let count = min(ColumnCodec.rows, head - number * ColumnCodec.rows)
            if let place = pins.blocks.stretch(of: number, in: lane.id.rawValue) {
                if place.header.newest < from { break }
                if place.header.oldest <= through, let stretch = pins.stretch(of: number, in: lane) {
                    views.append(makeView(stretch, through: number, count))
                }
                number = Int(place.header.firstChunk) - 1
                continue
            }
            if let view = makeView(number, count) {
                if let last = newestTime(of: view), last < from { break }
                if oldestTime(of: view) <= through { views.append(view) }
            } else if let stretch = pins.stretch(of: number, in: lane, hasMoved: true), stretch.header.rowCount > 0 {
                // Compaction has moved it since the query began.
                continue
            }
            number -= 1
        }
        views.reverse()
        arrange()
    }

    /// The chunks of a stretch up to `number`, of which `count` rows were committed.
    private func makeView(_ stretch: StretchReader, through number: Int, _ count: Int) -> View {
        var rowCount = stretch.rows.rows(from: 0, through: number).upperBound
        if let last = stretch.rows.rows(of: number) { rowCount = last.lowerBound + min(last.count, count) }
        room = max(room, stretch.rows.times.count + ColumnCodec.rows)
        return unsafe View(
            number: Int(stretch.header.firstChunk), rowCount: rowCount, record: nil, stretch: stretch,
            times: stretch.rows.times)
    }

    private func makeView(_ number: Int, _ count: Int) -> View? {
        if let record = unsafe pins.record(of: number, in: lane) {
            let header = unsafe record.header
            if header.newest < from || header.oldest > through {
                return unsafe View(number: number, rowCount: 0, record: record, times: [])
            }
            let rowCount = min(count, Int(header.rowCount))
            let times = unsafe record.times(Int(header.rowCount))
            return unsafe View(number: number, rowCount: rowCount, record: record, times: times)
        }
        if let times = active?.times(ofChunk: number, count: count) {
            return unsafe View(number: number, rowCount: count, record: nil, times: times)
        }
        guard let record = unsafe pins.record(of: number, in: lane) else { return nil }
        let times = unsafe record.times(Int(record.header.rowCount))
        return unsafe View(number: number, rowCount: count, record: record, times: times)
    }

    /// `nil` for the chunk being written, whose samples may have later times of their own.
    private func newestTime(of view: View) -> Int64? {
        unsafe view.record.map { unsafe $0.header.newest }
    }

    private func oldestTime(of view: View) -> Int64 {
        unsafe view.record.map { unsafe $0.header.oldest } ?? .min
    }

    private func arrange() {
        var last = Int64.min
        for index in views.indices {
            let rowCount = views[index].rowCount
            let seen = views[index].times.prefix(rowCount)
            for time in seen {
                if time <= last { isUniform = false }
                last = time
            }
            let first = seen.firstIndex { $0 >= from } ?? rowCount
            let end = seen.lastIndex { $0 <= through }.map { $0 + 1 } ?? 0
            views[index].rows = first..<max(first, end)
            views[index].start = rowTimes.count
            rowTimes += seen
        }
        if isUniform { for view in views { times += view.times[view.rows] } }
    }

    /// The samples of `location` in the window.
    func read(_ location: SeriesIndex.Location, _ companions: SeriesIndex.Companions) -> ReadSamples {
        if isUniform && companions.isEmpty { return readRows(location) }
        return readSamples(location, companions)
    }

    /// Reads a series of floats at their rows' times.
    private func readRows(_ location: SeriesIndex.Location) -> ReadSamples {
        var most = 0
        for view in views { most += rows(of: location, view).count }
        guard most > 0 else { return ReadSamples() }
        masks.removeAll(keepingCapacity: true)
        let values = unsafe [Double](unsafeUninitializedCapacity: most) { buffer, count in
            unsafe withScratch { scratch, groups in
                for index in views.indices {
                    let rows = rows(of: location, views[index])
                    if rows.isEmpty {
                        masks.append(contentsOf: repeatElement(0, count: views[index].groupCount))
                        continue
                    }
                    unsafe column(location.slot, index, rows, scratch, groups)
                    for group in 0..<views[index].groupCount {
                        let mask = unsafe groups[group] & Self.mask(rows, group)
                        masks.append(mask)
                        let source = unsafe scratch + group * RowMask.bitWidth
                        var rest = mask
                        while rest != 0 {
                            unsafe buffer.initializeElement(
                                at: count, to: Double(bitPattern: source[rest.trailingZeroBitCount]))
                            count += 1
                            rest &= rest - 1
                        }
                    }
                }
            }
        }
        if values.count == times.count { return ReadSamples(timestamps: times, values: values) }
        var timestamps: [Int64] = []
        timestamps.reserveCapacity(values.count)
        var place = 0
        for view in views {
            for group in 0..<view.groupCount {
                var rest = masks[place]
                place += 1
                while rest != 0 {
                    timestamps.append(view.times[group * RowMask.bitWidth + rest.trailingZeroBitCount])
                    rest &= rest - 1
                }
            }
        }
        return ReadSamples(timestamps: timestamps, values: values)
    }

    /// Memory for the values and masks of one view.
    private func withScratch(
        _ body: (UnsafeMutablePointer<UInt64>, UnsafeMutablePointer<RowMask>) -> Void
    ) {
        unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: room) { values in
            unsafe withUnsafeTemporaryAllocation(of: RowMask.self, capacity: room / RowMask.bitWidth + 1) { masks in
                unsafe body(values.baseAddress!, masks.baseAddress!)
            }
        }
    }

    /// The bits of `rows` in the mask of 16 rows number `group`.
    static func mask(_ rows: Range<Int>, _ group: Int) -> RowMask {
        let start = group * RowMask.bitWidth
        return ColumnCodec.everyRow(max(rows.upperBound - start, 0))
            & ~ColumnCodec.everyRow(max(rows.lowerBound - start, 0))
    }

    private func contains(_ location: SeriesIndex.Location, _ view: View) -> Bool {
        !alive(Int(location.birth), Int(location.death), view).isEmpty
    }

    /// The rows in the window in which the slot belongs to `location`, of a uniform window.
    private func rows(of location: SeriesIndex.Location, _ view: View) -> Range<Int> {
        view.rows.clamped(to: alive(Int(location.birth), Int(location.death), view))
    }

    /// The rows of the chunks `birth...death`.
    private func alive(_ birth: Int, _ death: Int, _ view: View) -> Range<Int> {
        if let stretch = view.stretch {
            return stretch.rows.rows(from: birth, through: death).clamped(to: 0..<view.rowCount)
        }
        return view.number >= birth && view.number <= death ? 0..<view.rowCount : 0..<0
    }

    /// Decodes `rows` of one column, and maybe others. If the writer overtakes the reader, it finds the sealed chunk.
    private func column(
        _ slot: RingSlot, _ index: Int, _ rows: Range<Int>, _ values: UnsafeMutablePointer<UInt64>,
        _ masks: UnsafeMutablePointer<RowMask>
    ) {
        let view = views[index]
        if let stretch = view.stretch {
            _ = unsafe stretch.column(slot, through: rows.upperBound, into: values, masks)
            return
        }
        if unsafe view.record == nil {
            let mask = unsafe active?.column(slot, ofChunk: view.number, count: view.rowCount, into: values)
            if let mask {
                unsafe masks[0] = mask
                return
            }
            unsafe views[index].record = unsafe pins.record(of: view.number, in: lane)
        }
        if let record = unsafe views[index].record {
            unsafe masks[0] = record.column(slot, rowCount: Int(record.header.rowCount), into: values)
        } else {
            let stretch = pins.stretch(of: view.number, in: lane, hasMoved: true)
            unsafe masks[0] = stretch?.column(slot, ofChunk: view.number, into: values) ?? 0
        }
    }

    /// Copies or decodes `rows` of several columns of a block, each to its place `stride` values after the previous
    /// one. Sets which rows have a value: for each 16 rows of the view, a mask per column. Other rows may be written.
    func columns(
        _ columns: ArraySlice<UInt8>, block: Int, _ rows: Range<Int>, ofView index: Int,
        into values: UnsafeMutablePointer<UInt64>, stride: Int, _ masks: UnsafeMutablePointer<RowMask>
    ) {
        let view = views[index]
        if let stretch = view.stretch {
            unsafe withScratch { _, groups in
                unsafe stretch.columns(columns, block: block) { series, input in
                    var isValid = false
                    if let input = unsafe input {
                        isValid = unsafe SeriesCodec.decode(
                            input, rowCount: stretch.rows.times.count, through: rows.upperBound,
                            into: values + series * stride, groups)
                    }
                    for group in 0..<view.groupCount {
                        unsafe masks[group * columns.count + series] = isValid ? groups[group] : 0
                    }
                    return isValid
                }
            }
            return
        }
        if unsafe view.record == nil {
            let isRead = unsafe active?.copy(
                columns, block: block, rows, ofChunk: view.number, into: values, stride: stride, masks)
            if isRead == true { return }
            unsafe views[index].record = unsafe pins.record(of: view.number, in: lane)
        }
        if let record = unsafe views[index].record {
            unsafe record.copy(columns, block: block, into: values, stride: stride, masks)
            return
        }
        let stretch = pins.stretch(of: view.number, in: lane, hasMoved: true)
        for (series, column) in columns.enumerated() {
            let slot = RingSlot(block: block, column: Int(column))
            unsafe masks[series] =
                stretch?.column(slot, ofChunk: view.number, into: values + series * stride) ?? 0
        }
    }

    /// The views that contain `rows`.
    func touchedViews(_ rows: Range<Int>) -> Range<Int> {
        let first = views.lastIndex { $0.start <= rows.lowerBound } ?? 0
        let end = views.firstIndex { $0.start >= rows.upperBound } ?? views.count
        return first..<end
    }

    /// The rows of `view` in the chunks `birth...death`.
    func alive(_ birth: UInt32, _ death: UInt32, ofView view: Int) -> Range<Int> {
        alive(Int(birth), Int(death), views[view])
    }

    /// The rows that decoding writes.
    func writtenRows(of view: Int) -> Int {
        views[view].stretch.map { $0.rows.times.count } ?? ColumnCodec.rows
    }

    func groupCount(of view: Int) -> Int { views[view].groupCount }
    func rowCount(of view: Int) -> Int { views[view].rowCount }
    func start(of view: Int) -> Int { views[view].start }
    func end(of view: Int) -> Int { views[view].start + views[view].rowCount }

    /// Reads a series of any kind, sample by sample.
    private func readSamples(
        _ location: SeriesIndex.Location, _ companions: SeriesIndex.Companions
    ) -> ReadSamples {
        var result = ReadSamples()
        var isAscending = true
        for index in views.indices where contains(location, views[index]) {
            let view = views[index]
            var columns: ChunkColumns?
            if let stretch = view.stretch {
                let rows = alive(Int(location.birth), Int(location.death), view)
                columns = ChunkColumns(stretch, rows, location.slot, companions)
            }
            if columns == nil, unsafe view.record == nil, let active {
                columns = ChunkColumns(active, view.number, rowCount: view.rowCount, location.slot, companions)
                if columns == nil { unsafe views[index].record = unsafe pins.record(of: view.number, in: lane) }
            }
            if let record = unsafe views[index].record {
                unsafe columns = ChunkColumns(record, rowCount: view.rowCount, location.slot, companions)
            } else if columns == nil, let stretch = pins.stretch(of: view.number, in: lane, hasMoved: true) {
                let rows = stretch.rows.rows(of: view.number).map { $0.prefix(view.rowCount) } ?? 0..<0
                columns = ChunkColumns(stretch, rows, location.slot, companions)
            }
            for sample in columns?.samples ?? [] where sample.time >= from && sample.time <= through {
                isAscending = isAscending && result.timestamps.last ?? .min < sample.time
                result.append(sample.time, sample.value)
            }
        }
        if !isAscending { result.sort() }
        return result
    }

    /// Whether `location` has samples in the window. For sealed chunks completely in the window it is enough that they
    /// hold the series. Columns are decoded only at the ends of the window.
    func overlaps(_ location: SeriesIndex.Location, _ companions: SeriesIndex.Companions) -> Bool {
        guard isUniform && companions.isEmpty else { return readSamples(location, companions).count > 0 }
        var isFound = false
        unsafe withScratch { scratch, groups in
            for index in views.indices.reversed() where !isFound {
                let view = views[index]
                let rows = rows(of: location, view)
                if rows.isEmpty { continue }
                if unsafe view.record != nil, view.rows.count == view.rowCount { isFound = true }
                if isFound { return }
                unsafe column(location.slot, index, rows, scratch, groups)
                for group in 0..<view.groupCount where unsafe groups[group] & Self.mask(rows, group) != 0 {
                    isFound = true
                }
            }
        }
        return isFound
    }
}
