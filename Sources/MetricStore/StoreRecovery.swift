internal import Glibc
internal import MetricModel
internal import Synchronization

/// Brings back what an earlier process left in a directory.
///
/// The series log gives lanes, series and slots; the segments give sealed chunks; the row log gives the chunks that were being
/// written. The series log is then written anew with what is still needed.
struct StoreRecovery {
    fileprivate struct LaneState {
        var name: String
        /// Rows committed when the lane was closed; `nil` for an open one.
        var finalHead: UInt64?
        /// The slots in use.
        var slots: [RingSlot: (series: UInt32, birth: UInt32, companions: SeriesIndex.Companions)] = [:]
        /// The slots given up, with the last chunk of each.
        var free: [RingSlot: UInt32] = [:]
        var blockCount = 0
    }

    private(set) var notes: [String] = []
    private let path: String
    private var index = SeriesIndex()
    private var lanes: [UInt32: LaneState] = [:]

    /// Brings back the store in `path`, or begins one there. Gives its core and what was set aside or skipped, in words.
    static func run(
        _ path: String, _ configuration: StoreConfiguration
    ) throws(StoreError) -> (core: StoreCore, notes: [String]) {
        try StoreDirectory.prepare(path)
        let lock = try OpenFile(locking: "\(path)/lock")
        var recovery = StoreRecovery(path: path)
        let core = try recovery.run(configuration, lock)
        return (core, recovery.notes)
    }

    private init(path: String) {
        self.path = path
    }

    private mutating func run(
        _ configuration: StoreConfiguration, _ lock: consuming OpenFile
    ) throws(StoreError) -> StoreCore {
        let store = try replayLog() ?? UInt64.random(in: .min ... .max)
        let directory = StoreDirectory(path: path, store: store)
        let file = try writeLog(directory)
        let log = SeriesLog(file, lock: lock)
        let core = StoreCore(configuration, directory, log)
        var places: [UInt32: [(header: ChunkHeader, place: ChunkPlace)]] = [:]
        notes += core.segments.recover { header, place in places[header.lane, default: []].append((header, place)) }
        var catalog = StoreCore.Catalog()
        for (id, state) in lanes {
            catalog.lanes[id] = try recoverLane(id, state, places[id] ?? [], core)
            if state.finalHead == nil { catalog.orphans[state.name] = id }
            catalog.nextLane = max(catalog.nextLane, id + 1)
        }
        recoverRows(core, catalog.lanes)
        // Numbers are not given out twice while segments may still hold records under them.
        catalog.nextLane = max(catalog.nextLane, places.keys.max().map { $0 &+ 1 } ?? 0)
        for (id, lane) in catalog.lanes {
            let first = lane.directory.first.load(ordering: .relaxed)
            if first > 0 { _ = index.forget(lane: id, through: UInt32(first - 1)) }
            if lane.active == nil, lane.finalHead <= first * ColumnCodec.rows { catalog.lanes[id] = nil }
        }
        catalog.index = index
        core.catalog.write { $0 = catalog }
        return core
    }

    // MARK: Series log

    /// Reads the log; gives the store's number, or `nil` for a new store.
    private mutating func replayLog() throws(StoreError) -> UInt64? {
        let name = "\(path)/series.log"
        guard unsafe access(name, F_OK) == 0 else {
            setAsideEverything(because: nil)
            return nil
        }
        let file = try OpenFile(name, create: false)
        let size = file.size
        guard size >= SeriesLog.headerSize else {
            setAsideEverything(because: "\(name) is cut short")
            return nil
        }
        let mapping = try Mapping(file, offset: 0, count: size)
        let bytes = unsafe UnsafeRawBufferPointer(start: mapping.base, count: size)
        let store = unsafe bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
        guard unsafe bytes.prefix(SeriesLog.headerSize).elementsEqual(SeriesLog.header(store: store)) else {
            setAsideEverything(because: "\(name) is not a series log of this version")
            return nil
        }
        var offset = SeriesLog.headerSize
        while offset < size {
            guard let record = unsafe SeriesRecord.read(bytes, &offset) else {
                notes.append("\(name): the last \(size - offset) bytes are damaged and dropped")
                break
            }
            replay(record)
        }
        return store
    }

    /// Without a log, nothing that is there can be told apart.
    private mutating func setAsideEverything(because reason: String?) {
        for name in ["series.log", "segments", "rows", "lanes"] {
            let file = "\(path)/\(name)"
            let isEmpty = name != "series.log" && StoreDirectory.numbers(in: file).isEmpty
            guard unsafe access(file, F_OK) == 0, !isEmpty else { continue }
            notes.append("\(reason ?? "\(path)/series.log is missing"): \(StoreDirectory.setAside(file))")
        }
        // A failure here comes to light when the first file is made.
        try? StoreDirectory.prepare(path)
    }

    private mutating func replay(_ record: SeriesRecord) {
        switch record {
        case .lane(let id, let name):
            lanes[id] = LaneState(name: name)
        case .bind(let id, let slot, let birth, let labels):
            guard lanes[id] != nil else { return }
            let series = index.bind(labels, lane: id, slot: slot, birth: birth).series
            lanes[id]?.slots[slot] = (series, birth, SeriesIndex.Companions())
            take(slot, of: id)
        case .companion(let id, let slot, let birth, let isTimes, let column, let columnBirth):
            guard var known = lanes[id]?.slots[slot], known.birth == birth else { return }
            if isTimes {
                known.companions.times = (column, columnBirth)
            } else {
                known.companions.histograms = (column, columnBirth)
            }
            lanes[id]?.slots[slot] = known
            index.setCompanions(known.companions, lane: id, slot: slot, birth: birth)
            take(column, of: id)
        case .end(let id, let slot, let birth, let death):
            guard let known = lanes[id]?.slots[slot], known.birth == birth else { return }
            end(slot, of: id, known, death: death)
        case .closed(let id, let head):
            close(id, head: head)
        }
    }

    private mutating func take(_ slot: RingSlot, of lane: UInt32) {
        guard var state = lanes.removeValue(forKey: lane) else { return }
        state.free[slot] = nil
        state.blockCount = max(state.blockCount, slot.block + 1)
        lanes[lane] = state
    }

    private mutating func end(
        _ slot: RingSlot, of lane: UInt32,
        _ known: (series: UInt32, birth: UInt32, companions: SeriesIndex.Companions), death: UInt32
    ) {
        index.end(known.series, lane: lane, slot: slot, birth: known.birth, death: death)
        lanes[lane]?.slots[slot] = nil
        for given in [slot, known.companions.times?.slot, known.companions.histograms?.slot] {
            if let given { lanes[lane]?.free[given] = death }
        }
    }

    private mutating func close(_ lane: UInt32, head: UInt64) {
        let last = UInt32(clamping: head == 0 ? 0 : (head - 1) / UInt64(ColumnCodec.rows))
        for (slot, known) in lanes[lane]?.slots ?? [:] {
            end(slot, of: lane, known, death: max(last, known.birth))
        }
        lanes[lane]?.finalHead = head
    }

    /// Writes what is still needed into a new log and puts it in the place of the old one.
    private func writeLog(_ directory: StoreDirectory) throws(StoreError) -> OpenFile {
        var bytes = SeriesLog.header(store: directory.store)
        for (id, lane) in lanes.sorted(by: { $0.key < $1.key }) {
            bytes += SeriesRecord.lane(id, name: lane.name).framed
        }
        var records: [(order: UInt64, record: SeriesRecord)] = []
        for series in 0..<index.idBound where index.contains(series) {
            let labels = index.labels(of: series)
            index.forEachLocation(of: series) { records += self.records(of: $0, labels) }
        }
        // A slot that served several series, or as a companion, must get its parts in their order.
        records.sort { $0.order < $1.order }
        for (_, record) in records { bytes += record.framed }
        for (id, lane) in lanes {
            if let head = lane.finalHead { bytes += SeriesRecord.closed(lane: id, head: head).framed }
        }
        let temporary = directory.seriesLog + ".new"
        unsafe unlink(temporary)
        let file = try OpenFile(temporary, create: true)
        try file.append(bytes)
        guard unsafe rename(temporary, directory.seriesLog) == 0 else {
            throw StoreError(.system, "cannot rename \(temporary): \(SystemFailure.text())")
        }
        return file
    }

    /// The records that make `location`, each with its place among all: by chunk, and within one first what begins.
    private func records(
        of location: SeriesIndex.Location, _ labels: Labels
    ) -> [(order: UInt64, record: SeriesRecord)] {
        let (lane, slot, birth) = (location.lane, location.slot, location.birth)
        var records = [(UInt64(birth) * 4, SeriesRecord.bind(lane: lane, slot: slot, birth: birth, labels))]
        let companions = index.companions(of: location)
        for (column, isTimes) in [(companions.times, true), (companions.histograms, false)] {
            guard let column else { continue }
            let record = SeriesRecord.companion(
                lane: lane, slot: slot, birth: birth, isTimes: isTimes, column: column.slot, columnBirth: column.birth)
            records.append((UInt64(column.birth) * 4 + 1, record))
        }
        if location.death != SeriesIndex.Location.alive {
            let record = SeriesRecord.end(lane: lane, slot: slot, birth: birth, death: location.death)
            records.append((UInt64(location.death) * 4 + 2, record))
        }
        return records
    }

    // MARK: Lanes

    /// The lane with its sealed chunks.
    private func recoverLane(
        _ id: UInt32, _ state: LaneState, _ sealed: [(header: ChunkHeader, place: ChunkPlace)], _ core: StoreCore
    ) throws(StoreError) -> Lane {
        let active = state.finalHead == nil ? try ActiveChunk() : nil
        let lane = Lane(id: LaneID(id), name: state.name, core: core, active: active)
        let chunks = sealed.sorted { $0.header.chunk < $1.header.chunk }
        lane.chunk = chunks.last.map { Int($0.header.chunk) + 1 } ?? 0
        lane.directory.lose(before: chunks.first.map { Int($0.header.chunk) } ?? 0)
        for (header, place) in chunks { lane.directory.add(Int(header.chunk), at: place) }
        lane.finalHead = state.finalHead.map { Int(clamping: $0) } ?? 0
        if let active {
            for _ in 0..<state.blockCount { try active.addBlock() }
            let newest = chunks.reduce(Int64.min) { max($0, $1.header.newest) }
            unsafe active.header[ActiveChunk.Word.newest].store(UInt64(bitPattern: newest), ordering: .relaxed)
        }
        return lane
    }

    /// Brings back the rows that are not sealed, and lets the lanes go on behind them.
    private mutating func recoverRows(_ core: StoreCore, _ lanes: [UInt32: Lane]) {
        guard let rowLog = core.rowLog else { return }
        var rows: [UInt32: RestoredRows] = [:]
        unsafe notes += rowLog.recover { header, record, file in
            guard let lane = lanes[header.lane], let active = lane.active else { return }
            unsafe rows[header.lane, default: RestoredRows(chunk: lane.chunk)].take(header, record, file, active)
        }
        for (id, lane) in lanes {
            guard lane.active != nil, let state = self.lanes[id] else { continue }
            let restored = rows[id] ?? RestoredRows(chunk: lane.chunk)
            if let note = restored.note { notes.append("lane \(lane.name): \(note)") }
            lane.resume(state, restored, index: index)
        }
        rowLog.recovered()
    }
}

/// What a recovery has found of the chunk that a lane was writing.
struct RestoredRows {
    private(set) var chunk: Int
    private(set) var rowCount = 0
    /// The file in which the rows begin.
    private(set) var pin: UInt32?
    private(set) var wordCount = 0
    private var isBroken = false

    /// - Parameter chunk: The one behind the last that is sealed.
    init(chunk: Int) {
        self.chunk = chunk
    }

    /// What is missing.
    var note: String? { isBroken ? "rows behind row \(rowCount) of chunk \(chunk) are lost" : nil }

    /// Takes up a record if it is the next one of the newest chunk.
    mutating func take(
        _ header: RowRecordHeader, _ record: UnsafeRawBufferPointer, _ file: UInt32, _ active: ActiveChunk
    ) {
        guard Int(header.chunk) >= chunk, header.chunk < UInt32.max else { return }
        if header.firstRow == 0 || Int(header.chunk) > chunk {
            active.clearMasks(keeping: 0)
            active.histograms.clear()
            self = RestoredRows(chunk: Int(header.chunk))
            pin = file
        }
        // Files that a lane no longer needs may go while others still hold rows of the same chunk; such rows come again later.
        guard Int(header.firstRow) == rowCount, !isBroken else {
            isBroken = true
            return
        }
        do throws(StoreError) {
            isBroken = try unsafe !active.restore(header, record)
        } catch {
            isBroken = true
        }
        if isBroken {
            active.clearMasks(keeping: ColumnCodec.everyRow(rowCount))
        } else {
            rowCount += Int(header.rowCount)
            wordCount = active.histograms.used
        }
    }
}

extension Lane {
    /// Goes on where an earlier process stopped.
    fileprivate func resume(_ state: StoreRecovery.LaneState, _ rows: RestoredRows, index: borrowing SeriesIndex) {
        guard let active else { return }
        // Chunks are looked for from the first one that is not lost.
        if chunk == 0 { directory.lose(before: rows.chunk) }
        chunk = rows.chunk
        head = chunk * ColumnCodec.rows + rows.rowCount
        unsafe active.header[ActiveChunk.Word.chunk].store(UInt64(chunk), ordering: .relaxed)
        unsafe active.header[ActiveChunk.Word.head].store(UInt64(head), ordering: .releasing)
        if let pin = rows.pin {
            core.rowLog?.pin(pin)
            let range = active.timeRange.map { (oldest: $0.lowerBound, newest: $0.upperBound) }
            logged.withLock {
                $0 = LoggedRows(
                    pin: pin, chunk: chunk, rowCount: rows.rowCount, blockCount: active.blockCount,
                    wordCount: rows.wordCount, range: range ?? (.max, .min))
            }
        }
        nextSlot = RingSlot(block: active.blockCount, column: 0)
        freeSlots = state.free.sorted { $0.value < $1.value }.map { ($0.key, $0.value) }
        let newest = unsafe Int64(bitPattern: active.header[ActiveChunk.Word.newest].load(ordering: .relaxed))
        let hasCompanions = state.slots.values.contains { !$0.companions.isEmpty }
        var born = 0
        for (slot, known) in state.slots {
            var own = ActiveChunk.SlotState(birth: known.birth, series: known.series)
            if !known.companions.isEmpty {
                own.companions = UInt32(companionList.count)
                companionList.append(known.companions)
            }
            born = max(born, Int(known.birth))
            // Without times of their own no sample can be later than the lane's newest row.
            own.newest = hasCompanions ? newestTime(of: known.series, index) : newest
            withState(of: slot) { $0 = own }
        }
        if born > nextChunk { skip(to: born, active) }
        unclaimed = Set(state.slots.keys)
        unclaimedThrough = chunk + 1
    }

    /// Turns to `chunk`, since rows between are lost and series begin only there.
    private func skip(to chunk: Int, _ active: ActiveChunk) {
        if head > self.chunk * ColumnCodec.rows { turn(active) }
        self.chunk = chunk
        head = chunk * ColumnCodec.rows
        unsafe active.header[ActiveChunk.Word.chunk].store(UInt64(chunk), ordering: .relaxed)
        unsafe active.header[ActiveChunk.Word.head].store(UInt64(head), ordering: .releasing)
    }

    /// Time of the newest sample of `series` in this lane, in whatever slot.
    private func newestTime(of series: UInt32, _ index: borrowing SeriesIndex) -> Int64 {
        var newest = Int64.min
        index.forEachLocation(of: series) { location in
            guard location.lane == id.rawValue else { return }
            let companions = index.companions(of: location)
            let last = lastSample(location.slot, companions, birth: location.birth, death: location.death)
            newest = max(newest, last?.time ?? .min)
        }
        return newest
    }
}
