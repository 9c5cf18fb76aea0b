internal import MetricModel
internal import Synchronization

/// The view of one query on one lane: the rows committed when the query began, in the chunks that overlap its window.
///
/// All series are read up to the same row, so that a query never sees part of a scrape.
final class LaneWindow {
    /// One chunk in the window.
    @safe private struct View {
        let number: Int
        /// Rows committed when the query began.
        let rowCount: Int
        /// `nil` for the chunk being written.
        var record: ChunkRecord?
        let times: [Int64]
        /// The rows with times in the window; valid only if the window is uniform.
        var rows: Range<Int> = 0..<0
        /// The number of rows in the views before this one.
        var start = 0
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
        let lowest = lane.directory.first.load(ordering: .acquiring)
        while head > 0, number >= lowest {
            let count = min(ColumnCodec.rows, head - number * ColumnCodec.rows)
            if let view = makeView(number, count) {
                if let last = newestTime(of: view), last < from { break }
                if oldestTime(of: view) <= through { views.append(view) }
            }
            number -= 1
        }
        views.reverse()
        arrange()
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
        var room = 0
        for view in views where contains(location, view) { room += view.rows.count }
        guard room > 0 else { return ReadSamples() }
        masks.removeAll(keepingCapacity: true)
        let values = unsafe [Double](unsafeUninitializedCapacity: room) { buffer, count in
            unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: ColumnCodec.rows) { scratch in
                let scratch = scratch.baseAddress!
                for index in views.indices {
                    let rows = views[index].rows
                    var mask: RowMask = 0
                    if contains(location, views[index]), !rows.isEmpty {
                        mask = unsafe column(location.slot, index, scratch)
                        mask &= ColumnCodec.everyRow(rows.upperBound) & ~ColumnCodec.everyRow(rows.lowerBound)
                        var rest = mask
                        while rest != 0 {
                            unsafe buffer.initializeElement(
                                at: count, to: Double(bitPattern: scratch[rest.trailingZeroBitCount]))
                            count += 1
                            rest &= rest - 1
                        }
                    }
                    masks.append(mask)
                }
            }
        }
        if values.count == times.count { return ReadSamples(timestamps: times, values: values) }
        var timestamps: [Int64] = []
        timestamps.reserveCapacity(values.count)
        for index in views.indices {
            var rest = masks[index]
            while rest != 0 {
                timestamps.append(views[index].times[rest.trailingZeroBitCount])
                rest &= rest - 1
            }
        }
        return ReadSamples(timestamps: timestamps, values: values)
    }

    private func contains(_ location: SeriesIndex.Location, _ view: View) -> Bool {
        view.number >= Int(location.birth) && view.number <= Int(location.death)
    }

    /// Decodes one column. If the writer overtakes the reader, it finds the sealed chunk.
    private func column(_ slot: RingSlot, _ index: Int, _ values: UnsafeMutablePointer<UInt64>) -> RowMask {
        let view = views[index]
        if unsafe view.record == nil {
            let mask = unsafe active?.column(slot, ofChunk: view.number, count: view.rowCount, into: values)
            if let mask { return mask }
            unsafe views[index].record = unsafe pins.record(of: view.number, in: lane)
        }
        guard let record = unsafe views[index].record else { return 0 }
        return unsafe record.column(slot, rowCount: Int(record.header.rowCount), into: values)
    }

    /// Copies or decodes `rows` of several columns of a block, each to its place `stride` values after the previous
    /// one. Returns which rows have a value. Other rows may be written too.
    func columns(
        _ columns: ArraySlice<UInt8>, block: Int, _ rows: Range<Int>, ofView index: Int,
        into values: UnsafeMutablePointer<UInt64>, stride: Int, _ masks: UnsafeMutablePointer<RowMask>
    ) {
        let view = views[index]
        if unsafe view.record == nil {
            let isRead = unsafe active?.copy(
                columns, block: block, rows, ofChunk: view.number, into: values, stride: stride, masks)
            if isRead == true { return }
            unsafe views[index].record = unsafe pins.record(of: view.number, in: lane)
        }
        if let record = unsafe views[index].record {
            unsafe record.copy(columns, block: block, into: values, stride: stride, masks)
        } else {
            for series in 0..<columns.count { unsafe masks[series] = 0 }
        }
    }

    /// The views that contain `rows`.
    func touchedViews(_ rows: Range<Int>) -> Range<Int> {
        let first = views.lastIndex { $0.start <= rows.lowerBound } ?? 0
        let end = views.firstIndex { $0.start >= rows.upperBound } ?? views.count
        return first..<end
    }

    func number(of view: Int) -> Int { views[view].number }
    func rowCount(of view: Int) -> Int { views[view].rowCount }
    func start(of view: Int) -> Int { views[view].start }
    func end(of view: Int) -> Int { views[view].start + views[view].rowCount }

    /// Reads a series of any kind, sample by sample.
    private func readSamples(
        _ location: SeriesIndex.Location, _ companions: SeriesIndex.Companions
    ) -> ReadSamples {
        var result = ReadSamples()
        for index in views.indices where contains(location, views[index]) {
            let view = views[index]
            var columns: ChunkColumns?
            if unsafe view.record == nil, let active {
                columns = ChunkColumns(active, view.number, rowCount: view.rowCount, location.slot, companions)
                if columns == nil { unsafe views[index].record = unsafe pins.record(of: view.number, in: lane) }
            }
            if let record = unsafe views[index].record {
                unsafe columns = ChunkColumns(record, rowCount: view.rowCount, location.slot, companions)
            }
            for sample in columns?.samples ?? [] where sample.time >= from && sample.time <= through {
                result.append(sample.time, sample.value)
            }
        }
        return result
    }

    /// Whether `location` has samples in the window. For sealed chunks completely in the window it is enough that they
    /// hold the series. Columns are decoded only at the ends of the window.
    func overlaps(_ location: SeriesIndex.Location, _ companions: SeriesIndex.Companions) -> Bool {
        guard isUniform && companions.isEmpty else { return readSamples(location, companions).count > 0 }
        return unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: ColumnCodec.rows) { scratch in
            let scratch = scratch.baseAddress!
            for index in views.indices.reversed() where contains(location, views[index]) {
                let view = views[index]
                if view.rows.isEmpty { continue }
                if unsafe view.record != nil, view.rows.count == view.rowCount { return true }
                let mask = unsafe column(location.slot, index, scratch)
                let window = ColumnCodec.everyRow(view.rows.upperBound) & ~ColumnCodec.everyRow(view.rows.lowerBound)
                if mask & window != 0 { return true }
            }
            return false
        }
    }
}
