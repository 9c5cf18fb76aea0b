internal import MetricModel
internal import Synchronization

/// The state of a lane according to the series log.
struct RecoveredLane {
    let id: UInt32
    let name: String
    /// Rows committed when the lane was closed; `nil` for an open one.
    private(set) var finalHead: UInt64?
    /// By position (``ActiveChunk/position(of:)``).
    private var slots: [Slot] = []
    private var companions: [SeriesIndex.Companions] = []

    private struct Slot {
        enum Use {
            /// Never taken, or retired; may be reused after chunk `death`.
            case free
            case series
            case companion
        }

        var use = Use.free
        var series = SeriesIndex.none
        var birth: UInt32 = 0
        var death: UInt32 = 0
        /// The index in `companions`.
        var companions = ActiveChunk.SlotState.none
    }

    init(id: UInt32, name: String) {
        self.id = id
        self.name = name
    }

    /// The position of `slot`; makes room for it.
    private mutating func position(of slot: RingSlot) -> Int {
        let position = ActiveChunk.position(of: slot)
        while slots.count <= position { slots.append(Slot()) }
        return position
    }

    /// Records that `slot` has a series.
    mutating func take(_ slot: RingSlot, _ series: UInt32, birth: UInt32) {
        slots[position(of: slot)] = Slot(use: .series, series: series, birth: birth)
    }

    /// Records that `column` is a companion of `slot`.
    mutating func take(_ column: RingSlot, companionsOf slot: RingSlot, _ all: SeriesIndex.Companions) {
        slots[position(of: column)] = Slot(use: .companion)
        let owner = position(of: slot)
        if slots[owner].companions == ActiveChunk.SlotState.none {
            slots[owner].companions = UInt32(companions.count)
            companions.append(all)
        } else {
            companions[Int(slots[owner].companions)] = all
        }
    }

    /// Records that a former series or companion of `slot` ended with chunk `death`.
    mutating func free(_ slot: RingSlot, after death: UInt32) {
        let position = position(of: slot)
        guard slots[position].use == .free else { return }
        slots[position].death = max(slots[position].death, death)
    }

    /// Records that the current series of `slot` has ended.
    mutating func end(_ slot: RingSlot, birth: UInt32, death: UInt32, _ index: inout SeriesIndex) {
        let position = position(of: slot)
        let known = slots[position]
        guard known.use == .series, known.birth == birth else { return }
        index.end(known.series, lane: id, slot: slot, birth: birth, death: death)
        slots[position] = Slot(death: death)
        guard known.companions != ActiveChunk.SlotState.none else { return }
        let own = companions[Int(known.companions)]
        for column in [own.times?.slot, own.histograms?.slot] {
            if let column { slots[self.position(of: column)] = Slot(death: death) }
        }
    }

    /// Records that the lane was closed with `head` rows.
    mutating func close(head: UInt64, _ index: inout SeriesIndex) {
        let last = UInt32(clamping: head == 0 ? 0 : (head - 1) / UInt64(ColumnCodec.rows))
        for slot in self.positions where slots[ActiveChunk.position(of: slot)].use == .series {
            let birth = slots[ActiveChunk.position(of: slot)].birth
            end(slot, birth: birth, death: max(last, birth), &index)
        }
        finalHead = head
    }

    /// The slots, sorted by position.
    private var positions: [RingSlot] {
        var found: [RingSlot] = []
        var block = 0
        while found.count < slots.count {
            for column in 0..<ActiveChunk.width(ofBlock: block) { found.append(RingSlot(block: block, column: column)) }
            block += 1
        }
        return Array(found.prefix(slots.count))
    }

    /// The lane with its chunks.
    func makeLane(_ samples: RecoveredSamples.OfLane?, _ core: StoreCore) throws(StoreError) -> Lane {
        var active = finalHead == nil ? samples?.active : nil
        if active == nil, finalHead == nil { active = try ActiveChunk() }
        let lane = Lane(id: LaneID(id), name: name, core: core, active: active)
        let sealed = samples?.sealed ?? []
        lane.chunk = samples?.nextChunk ?? 0
        lane.directory.lose(before: sealed.first.map { Int($0.number) } ?? lane.chunk)
        for chunk in sealed { lane.directory.add(Int(chunk.number), at: chunk.place) }
        lane.finalHead = finalHead.map { Int(clamping: $0) } ?? 0
        if let active {
            while ActiveChunk.start(ofBlock: active.blockCount) < slots.count { try active.addBlock() }
            if let samples, samples.active == nil {
                let newest = UInt64(bitPattern: samples.newestSealed)
                unsafe active.header[ActiveChunk.Word.newest].store(newest, ordering: .relaxed)
            }
        }
        return lane
    }

    /// Calls `body` with every slot: its series, or that it is free or a companion.
    fileprivate func forEachSlot(
        _ body: (RingSlot, _ series: UInt32, _ birth: UInt32, SeriesIndex.Companions, _ death: UInt32?) -> Void
    ) {
        for (position, slot) in positions.enumerated() {
            let own = slots[position]
            let known = own.companions == ActiveChunk.SlotState.none ? nil : companions[Int(own.companions)]
            body(slot, own.series, own.birth, known ?? .init(), own.use == .free ? own.death : nil)
        }
    }

    fileprivate var hasCompanions: Bool { !companions.isEmpty }
    fileprivate var slotCount: Int { slots.count }
}

extension Lane {
    /// Continues where an earlier process stopped.
    ///
    /// - Throws: if existing rows must be sealed and cannot be.
    func resume(_ state: RecoveredLane, _ rows: RestoredRows, index: borrowing SeriesIndex) throws(StoreError) {
        guard let active else { return }
        // Chunks are searched from the first one that is not lost.
        if chunk == 0 { directory.lose(before: rows.chunk) }
        chunk = rows.chunk
        head = chunk * ColumnCodec.rows + rows.rowCount
        unsafe active.header[ActiveChunk.Word.chunk].store(UInt64(chunk), ordering: .relaxed)
        unsafe active.header[ActiveChunk.Word.head].store(UInt64(head), ordering: .releasing)
        keepRows(rows, active)
        let newest = unsafe Int64(bitPattern: active.header[ActiveChunk.Word.newest].load(ordering: .relaxed))
        var born = 0
        state.forEachSlot { slot, series, birth, companions, death in
            if let death {
                freeSlots.append((slot, death))
                // The series of these rows was in a lost part of the log.
                if death < chunk { active.clearMask(of: slot) }
            } else if series != SeriesIndex.none {
                var own = ActiveChunk.SlotState(birth: birth, series: series, isUnclaimed: true)
                if !companions.isEmpty {
                    own.companions = UInt32(companionList.count)
                    companionList.append(companions)
                }
                born = max(born, Int(birth))
                if state.hasCompanions {
                    own.newest = newestTime(of: index.locations(of: series, in: id.rawValue))
                } else {
                    // Without timestamps of their own, no sample is newer than the lane's newest row.
                    (own.newest, own.isBound) = (newest, true)
                }
                withState(of: slot) { $0 = own }
                unclaimedCount += 1
            }
        }
        freeSlots.sort { $0.death < $1.death }
        nextSlot = ActiveChunk.slot(at: state.slotCount)
        active.clearMasks(from: state.slotCount)
        unclaimedThrough = chunk + 1
        if born > nextChunk {
            unclaimedThrough = .max
            try skip(to: born, active)
            unclaimedThrough = chunk + 1
        }
    }

    /// Keeps the row log's file.
    private func keepRows(_ rows: RestoredRows, _ active: ActiveChunk) {
        guard let pin = rows.pin else { return }
        core.rowLog?.pin(pin)
        let range = active.timeRange.map { (oldest: $0.lowerBound, newest: $0.upperBound) }
        logged.withLock {
            $0 = LoggedRows(
                pin: pin, chunk: chunk, rowCount: rows.rowCount, blockCount: active.blockCount,
                wordCount: rows.wordCount, range: range ?? (.max, .min))
        }
    }

    /// Advances to `chunk`, because the rows before are lost and series begin there.
    private func skip(to chunk: Int, _ active: ActiveChunk) throws(StoreError) {
        if head > self.chunk * ColumnCodec.rows { try turn(active) }
        self.chunk = chunk
        head = chunk * ColumnCodec.rows
        unsafe active.header[ActiveChunk.Word.chunk].store(UInt64(chunk), ordering: .relaxed)
        unsafe active.header[ActiveChunk.Word.head].store(UInt64(head), ordering: .releasing)
    }

    /// The time of the newest sample in these slots.
    private func newestTime(of locations: [(SeriesIndex.Location, SeriesIndex.Companions)]) -> Int64 {
        locations.reduce(.min) { newest, found in
            let (location, companions) = found
            let last = lastSample(location.slot, companions, birth: location.birth, death: location.death)
            return max(newest, last?.time ?? .min)
        }
    }

    /// The state of a slot for a sample at `time`. After a restart, the time of its newest sample is searched when the
    /// first such sample needs it: most samples are newer than the whole lane.
    func state(of slot: RingSlot, for time: Int64) -> ActiveChunk.SlotState? {
        guard let state = withState(of: slot, { $0 }) else { return nil }
        guard state.isBound, time <= state.newest, state.series != SeriesIndex.none else { return state }
        let locations = core.catalog.read { $0.index.locations(of: state.series, in: id.rawValue) }
        let newest = newestTime(of: locations)
        return withState(of: slot) {
            ($0.newest, $0.isBound) = (newest, false)
            return $0
        }
    }
}

extension SeriesIndex {
    /// The locations of `series` in a lane, with their companions.
    fileprivate func locations(of series: UInt32, in lane: UInt32) -> [(Location, Companions)] {
        var found: [(Location, Companions)] = []
        forEachLocation(of: series) { location in
            if location.lane == lane { found.append((location, companions(of: location))) }
        }
        return found
    }
}
