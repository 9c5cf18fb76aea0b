public import MetricModel

/// Reads the committed rows of all lanes, for sending them to other servers. Each row is found once by its position:
/// the lane's number and the number of the row. Positions survive a restart.
///
/// Owned by one thread. Labels are kept for the series that were read.
public final class CommittedRows {
    /// A lane and the number of its committed rows.
    public struct LanePosition: Equatable, Sendable {
        /// The lane.
        public var lane: LaneID
        /// The name under which it was opened.
        public var name: String
        /// The number of its committed rows, over all time.
        public var rows: Int
        /// The number of its series, about.
        public var columns = 0
        /// Whether nothing more is appended to it.
        public var isClosed = false
        /// Whether its samples are older than the newest ones of their series.
        public var takesAnyOrder = false
    }

    /// The value of a sample.
    public enum Value: Equatable, Sendable {
        case float(Double)
        case histogram(FloatHistogram)
    }

    /// A column of a lane with the samples of one series.
    private struct Column {
        var slot: RingSlot
        var birth: UInt32
        var death: UInt32
        var companions: SeriesIndex.Companions
        var series: Int
    }

    private struct Key: Hashable {
        var lane: UInt32
        var slot: RingSlot
        var birth: UInt32
    }

    private let store: MetricStore
    private var version: UInt64?
    /// The lanes with the chunks being written, as they were at the last ``refresh()``.
    private var read: [UInt32: (lane: Lane, active: ActiveChunk?)] = [:]
    /// In the order of slots, which a restart does not change.
    private var columns: [UInt32: [Column]] = [:]
    private var livingColumns: [UInt32: Int] = [:]
    /// As of the last ``refresh()``, in the order of their numbers.
    public private(set) var lanes: [LanePosition] = []
    private var numbers: [Key: Int] = [:]
    private var labelSets: [Labels] = []
    private var free: [Int] = []
    /// The numbers of series that were removed since the last call of ``takeRemoved()``.
    private var removed: [Int] = []

    /// A reader of `store`, which reads nothing yet.
    public init(_ store: MetricStore) {
        self.store = store
    }

    /// The labels of the series `number`, as passed by ``read(_:of:_:)``. Valid until the next
    /// ``refreshSeries()``.
    public func labels(of number: Int) -> Labels { labelSets[number] }

    /// The upper bound of the numbers of series.
    public var seriesBound: Int { labelSets.count }

    /// The numbers of series that no longer exist since the last call. A number is used again afterwards.
    public func takeRemoved() -> [Int] {
        defer {
            free += removed
            removed = []
        }
        return removed
    }

    /// Finds the lanes and their committed rows. Rows up to these positions can be read until the next call, after
    /// ``refreshSeries()``. The numbers of series are those of the last call of that.
    ///
    /// - Complexity: O(lanes), and O(series) the first time.
    public func refresh() -> [LanePosition] {
        lanes = store.core.catalog.read { catalog in
            var positions: [LanePosition] = []
            positions.reserveCapacity(catalog.lanes.count)
            if version == nil { findNew(catalog.index) }
            for (id, lane) in catalog.lanes {
                positions.append(
                    LanePosition(
                        lane: LaneID(id), name: lane.name, rows: lane.committedRows,
                        columns: columnCount(id, isClosed: lane.active == nil),
                        isClosed: lane.active == nil, takesAnyOrder: lane.name.hasPrefix(Lane.outOfOrderPrefix)))
            }
            read = catalog.lanes.mapValues { ($0, $0.active) }
            return positions.sorted { $0.lane.rawValue < $1.lane.rawValue }
        }
        return lanes
    }

    /// Finds the series that were added or removed since the last call. Call it after ``refresh()`` and before reading.
    ///
    /// - Returns: the lanes of the last ``refresh()`` with their present numbers of series.
    /// - Complexity: O(lanes), and O(series) if series were added or removed. Where series come and go, it must not be
    ///   called at each look for rows.
    @discardableResult
    public func refreshSeries() -> [LanePosition] {
        store.core.catalog.read { findNew($0.index) }
        for index in lanes.indices {
            lanes[index].columns = columnCount(lanes[index].lane.rawValue, isClosed: lanes[index].isClosed)
        }
        return lanes
    }

    private func columnCount(_ lane: UInt32, isClosed: Bool) -> Int {
        (isClosed ? columns[lane]?.count : livingColumns[lane]) ?? 0
    }

    private func findNew(_ index: borrowing SeriesIndex) {
        if version == index.version { return }
        version = index.version
        find(index)
    }

    private func find(_ index: borrowing SeriesIndex) {
        var found: [UInt32: [Column]] = [:]
        var known: [Key: Int] = [:]
        known.reserveCapacity(numbers.count)
        for series in 0..<index.idBound where index.contains(series) {
            index.forEachLocation(of: series) { location in
                let key = Key(lane: location.lane, slot: location.slot, birth: location.birth)
                let number = numbers[key] ?? add(index.labels(of: series))
                known[key] = number
                found[location.lane, default: []].append(
                    Column(
                        slot: location.slot, birth: location.birth, death: location.death,
                        companions: index.companions(of: location), series: number))
            }
        }
        for (key, number) in numbers where known[key] == nil {
            labelSets[number] = .empty
            removed.append(number)
        }
        numbers = known
        columns = found.mapValues { columns in
            columns.sorted { ($0.slot.ordinal, $0.birth) < ($1.slot.ordinal, $1.birth) }
        }
        livingColumns = columns.mapValues { $0.count { $0.death == SeriesIndex.Location.alive } }
    }

    private func add(_ labels: Labels) -> Int {
        if let number = free.popLast() {
            labelSets[number] = labels
            return number
        }
        labelSets.append(labels)
        return labelSets.count - 1
    }

    /// Calls `body` with each sample of `rows`, series by series; the samples of a series are in the order of its rows.
    ///
    /// - Parameter rows: within one chunk's rows or several; not beyond the position that ``refresh()`` returned.
    /// - Returns: the number of these rows that the store has no longer.
    public func read(
        _ rows: Range<Int>, of lane: LaneID,
        _ body: (_ series: Int, _ time: Int64, _ value: Value) -> Void
    ) -> Int {
        guard let (lane, active) = read[lane.rawValue] else { return rows.count }
        let pins = SegmentPins(store.core)
        let columns = columns[lane.id.rawValue] ?? []
        var lost = 0
        var first = rows.lowerBound
        while first < rows.upperBound {
            let chunk = first / ColumnCodec.rows
            let end = min(rows.upperBound, (chunk + 1) * ColumnCodec.rows)
            let local = first - chunk * ColumnCodec.rows..<end - chunk * ColumnCodec.rows
            if !read(local, ofChunk: chunk, lane, active, columns, pins, body) { lost += local.count }
            first = end
        }
        return lost
    }

    /// Returns whether the chunk exists.
    private func read(
        _ rows: Range<Int>, ofChunk chunk: Int, _ lane: Lane, _ active: ActiveChunk?, _ columns: [Column],
        _ pins: SegmentPins,
        _ body: (_ series: Int, _ time: Int64, _ value: Value) -> Void
    ) -> Bool {
        var record = unsafe pins.record(of: chunk, in: lane)
        let times: [Int64]
        if unsafe record == nil, let active,
            let own = active.times(ofChunk: chunk, count: rows.upperBound)
        {
            times = own
        } else {
            // The writer may have sealed it in the meantime.
            if unsafe record == nil { unsafe record = unsafe pins.record(of: chunk, in: lane) }
            guard let sealed = unsafe record else { return false }
            times = unsafe sealed.times(Int(sealed.header.rowCount))
        }
        guard times.count >= rows.upperBound else { return false }
        return unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: ColumnCodec.rows) { scratch in
            let scratch = scratch.baseAddress!
            let wanted = ColumnCodec.everyRow(rows.upperBound) & ~ColumnCodec.everyRow(rows.lowerBound)
            for column in columns where chunk >= Int(column.birth) && chunk <= Int(column.death) {
                let companions = column.companions.present(inChunk: chunk)
                if !companions.isEmpty {
                    var read: ChunkColumns?
                    if unsafe record == nil, let active {
                        read = ChunkColumns(active, chunk, rowCount: rows.upperBound, column.slot, column.companions)
                    }
                    if read == nil {
                        if unsafe record == nil { unsafe record = unsafe pins.record(of: chunk, in: lane) }
                        guard let sealed = unsafe record else { return false }
                        unsafe read = ChunkColumns(
                            sealed, rowCount: rows.upperBound, column.slot, column.companions)
                    }
                    if let read { Self.pass(read, rows, column.series, body) }
                    continue
                }
                var mask: RowMask?
                if unsafe record == nil {
                    mask = unsafe active?.column(column.slot, ofChunk: chunk, count: rows.upperBound, into: scratch)
                    if mask == nil { unsafe record = unsafe pins.record(of: chunk, in: lane) }
                }
                if mask == nil, let sealed = unsafe record {
                    mask = unsafe sealed.column(column.slot, rowCount: Int(sealed.header.rowCount), into: scratch)
                }
                guard var rest = mask else { return false }
                rest &= wanted
                while rest != 0 {
                    let row = rest.trailingZeroBitCount
                    body(column.series, times[row], .float(Double(bitPattern: unsafe scratch[row])))
                    rest &= rest - 1
                }
            }
            return true
        }
    }

    /// Passes on the samples of a series with histograms or timestamps of its own.
    private static func pass(
        _ read: ChunkColumns, _ rows: Range<Int>, _ series: Int,
        _ body: (_ series: Int, _ time: Int64, _ value: Value) -> Void
    ) {
        for (row, sample) in zip(read.rows, read.samples) where rows.contains(row) {
            switch sample.value {
            case .float(let value): body(series, sample.time, .float(value))
            case .histogram(let histogram): body(series, sample.time, .histogram(histogram))
            }
        }
    }
}
