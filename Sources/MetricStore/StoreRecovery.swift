internal import Glibc
internal import MetricModel
internal import Runtime
internal import Synchronization

/// Brings back what an earlier process left in a directory.
///
/// The series log gives lanes, series and slots; the segments give sealed chunks; the row log gives the chunks that were being
/// written. The series log is then written anew with what is still needed.
///
/// What does not need each other is done at the same time, by three threads at most: the series log is replayed while segments
/// are checked, and written while rows are read and the store is already used.
struct StoreRecovery {
    private(set) var notes: [String] = []
    private let path: String
    private var index = SeriesIndex()
    private var lanes: [RecoveredLane] = []
    /// Places in `lanes` by id.
    private var places: [UInt32: Int] = [:]
    /// The labels that the log's pairs stand for.
    private var pairs: [LoggedPair] = []
    /// Whether the series that come are all different, as a log that was written anew has them.
    private var isListing = false
    /// Whether a series has ended: the index that wrote the log may have forgotten it, so that one which was new then is
    /// perhaps known here.
    private var hasEnded = false
    /// A series' pairs, by the index's ids.
    private var own: [UInt32] = []

    /// A label of the series log.
    private enum LoggedPair {
        case unknown
        /// Not needed yet.
        case text(Label)
        /// The index's id.
        case pair(UInt32)
    }

    /// No log has more pairs at a time; a larger number is damage.
    private static let mostPairs: UInt32 = 1 << 26

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
        let file = try openLog()
        let store = file?.store ?? UInt64.random(in: .min ... .max)
        let directory = StoreDirectory(path: path, store: store)
        let log = SeriesLog(lock: lock)
        let core = StoreCore(configuration, directory, log)
        let segments = Overlapped("store-segments") { [core] in
            var sealed: [UInt32: [(header: ChunkHeader, place: ChunkPlace)]] = [:]
            let notes = core.segments.recover { sealed[$0.lane, default: []].append(($0, $1)) }
            return (sealed: sealed, notes: notes)
        }
        if let file { replay(file.mapping) }
        let (sealed, segmentNotes) = segments.value()
        notes += segmentNotes
        var catalog = StoreCore.Catalog()
        for state in lanes {
            catalog.lanes[state.id] = try state.makeLane(sealed[state.id] ?? [], core)
            if state.finalHead == nil { catalog.orphans[state.name] = state.id }
            catalog.nextLane = max(catalog.nextLane, state.id &+ 1)
        }
        // Numbers are not given out twice while segments may still hold records under them.
        catalog.nextLane = max(catalog.nextLane, sealed.keys.max().map { $0 &+ 1 } ?? 0)
        let rows = Overlapped("store-rows") { [core, lanes = catalog.lanes] in Self.restoreRows(core, lanes) }
        forgetLost(&catalog)
        _ = index.takeMadePairs()
        catalog.index = index
        log.begin(catalog, directory)
        resume(catalog.lanes, rows.value(), core)
        // Where no chunk of a lane is sealed, the rows say which are lost.
        catalog.index = SeriesIndex()
        forgetLost(&catalog)
        catalog.index = index
        core.catalog.write { $0 = catalog }
        return core
    }

    /// Forgets the series whose chunks are lost, and lanes without any.
    private mutating func forgetLost(_ catalog: inout StoreCore.Catalog) {
        for (id, lane) in catalog.lanes {
            let first = lane.directory.first.load(ordering: .relaxed)
            if first > 0 { _ = index.forget(lane: id, through: UInt32(first - 1)) }
            if lane.active == nil, lane.finalHead <= first * ColumnCodec.rows { catalog.lanes[id] = nil }
        }
    }

    /// Reads the rows that are not sealed into their lanes' chunks, which nobody else touches meanwhile.
    private static func restoreRows(
        _ core: StoreCore, _ lanes: [UInt32: Lane]
    ) -> (rows: [UInt32: RestoredRows], notes: [String]) {
        var rows: [UInt32: RestoredRows] = [:]
        let notes = unsafe core.rowLog?.recover { header, record, file in
            guard let lane = lanes[header.lane], let active = lane.active else { return }
            unsafe rows[header.lane, default: RestoredRows(chunk: lane.chunk)].take(header, record, file, active)
        }
        return (rows, notes ?? [])
    }

    /// Lets the lanes go on behind the rows that were restored.
    private mutating func resume(
        _ lanes: [UInt32: Lane], _ restored: (rows: [UInt32: RestoredRows], notes: [String]), _ core: StoreCore
    ) {
        notes += restored.notes
        for state in self.lanes {
            guard let lane = lanes[state.id], lane.active != nil else { continue }
            let rows = restored.rows[state.id] ?? RestoredRows(chunk: lane.chunk)
            if let note = rows.note { notes.append("lane \(lane.name): \(note)") }
            lane.resume(state, rows, index: index)
        }
        core.rowLog?.recovered()
    }

    // MARK: Series log

    /// The log and the store's number; `nil` for a new store.
    private mutating func openLog() throws(StoreError) -> (mapping: Mapping, store: UInt64)? {
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
        let isKnown = SeriesLog.versions.contains { version in
            unsafe bytes.prefix(SeriesLog.headerSize).elementsEqual(SeriesLog.header(store: store, version: version))
        }
        guard isKnown else {
            setAsideEverything(because: "\(name) is not a series log of this version")
            return nil
        }
        return (mapping, store)
    }

    /// Replays the log behind its header.
    private mutating func replay(_ mapping: Mapping) {
        let size = mapping.count
        let bytes = unsafe UnsafeRawBufferPointer(start: mapping.base, count: size)
        var offset = SeriesLog.headerSize
        while offset < size {
            guard let frame = unsafe SeriesLog.frame(bytes, at: offset), unsafe replay(frame) else {
                notes.append("\(path)/series.log: the last \(size - offset) bytes are torn or damaged and dropped")
                break
            }
            offset += 8 + frame.count
        }
        index.enterTable()
        pairs = []
    }

    /// Without a log, nothing that is there can be told apart.
    private mutating func setAsideEverything(because reason: String?) {
        for name in ["series.log", "segments", "rows", "lanes"] {
            let file = "\(path)/\(name)"
            let isEmpty = name != "series.log" && StoreDirectory.numbers(in: file).isEmpty
            guard unsafe access(file, F_OK) == 0, !isEmpty else { continue }
            notes.append("\(reason ?? "\(path)/series.log is missing"): \(StoreDirectory.setAside(file))")
        }
        do throws(StoreError) { try StoreDirectory.prepare(path) } catch {
            // Comes to light when the first file is made there.
            notes.append(error.message)
        }
    }

    /// Replays the records of a frame. Whether all of them made sense; those before the first that does not are replayed.
    private mutating func replay(_ frame: UnsafeRawBufferPointer) -> Bool {
        var reader = unsafe SeriesRecordReader(frame)
        while let record = unsafe reader.next() {
            guard unsafe replay(record, pairs: reader.pairs) else { return false }
        }
        return unsafe reader.isAtEnd
    }

    private mutating func replay(_ record: SeriesRecordReader.Item, pairs ids: [UInt32]) -> Bool {
        switch unsafe record {
        case .listing(let series):
            guard index.idBound == 0, series < Self.mostPairs else { return false }
            isListing = true
            index.reserve(Int(series))
        case .listed: isListing = false
        case .lane(let id, let name):
            places[id] = lanes.count
            lanes.append(RecoveredLane(id: id, name: name))
        case .pair(let id, let name, let value):
            guard id < Self.mostPairs else { return false }
            while pairs.count <= id { pairs.append(.unknown) }
            pairs[Int(id)] = unsafe .text(
                Label(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
        case .bind(let location, let isNew):
            guard let place = places[location.lane] else { return true }
            guard translate(ids) else { return false }
            let (lane, slot, birth) = (location.lane, location.slot, location.birth)
            let series =
                isListing || isNew && !hasEnded
                ? index.recover(listed: own, lane: lane, slot: slot, birth: birth)
                : index.recover(own, lane: lane, slot: slot, birth: birth)
            if location.death == SeriesIndex.Location.alive {
                lanes[place].take(location.slot, series, birth: location.birth)
            } else {
                hasEnded = true
                index.end(
                    series, lane: location.lane, slot: location.slot, birth: location.birth, death: location.death)
                lanes[place].free(location.slot, after: location.death)
            }
        case .companion(let location, let isTimes, let column, let birth):
            guard let place = places[location.lane] else { return true }
            var companions = index.companions(of: location)
            if isTimes {
                companions.times = (column, birth)
            } else {
                companions.histograms = (column, birth)
            }
            index.setCompanions(companions, lane: location.lane, slot: location.slot, birth: location.birth)
            if location.death == SeriesIndex.Location.alive {
                lanes[place].take(column, companionsOf: location.slot, companions)
            } else {
                lanes[place].free(column, after: location.death)
            }
        case .end(let location):
            guard let place = places[location.lane] else { return true }
            hasEnded = true
            lanes[place].end(location.slot, birth: location.birth, death: location.death, &index)
        case .closed(let lane, let head):
            guard let place = places[lane] else { return true }
            hasEnded = true
            lanes[place].close(head: head, &index)
        }
        return true
    }

    /// Puts the index's ids for the log's into `own`. Whether the log has told all of them.
    private mutating func translate(_ ids: [UInt32]) -> Bool {
        own.removeAll(keepingCapacity: true)
        for id in ids {
            guard id < pairs.count else { return false }
            switch pairs[Int(id)] {
            case .unknown: return false
            case .pair(let pair): own.append(pair)
            case .text(let label):
                let pair = index.makePair(label)
                own.append(pair)
                pairs[Int(id)] = .pair(pair)
            }
        }
        return true
    }
}
