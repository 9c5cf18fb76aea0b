internal import MetricModel
internal import Synchronization

extension Lane {
    /// Times more than this many milliseconds from the epoch are rejected, because columns store them as doubles.
    static let farthestTime: Int64 = 1 << 53

    /// The first pending row, as an index in the chunk.
    var firstPendingRow: Int { head - chunk * ColumnCodec.rows }

    /// Starts a row after the pending ones, in a new chunk if this one is full.
    ///
    /// - Returns: `false` for a closed lane, or for a time that cannot be stored.
    /// - Throws: if the full chunk cannot be written. It stays unchanged, and the next call retries.
    func openRow(_ time: Int64) throws(StoreError) -> Bool {
        guard let active, time.magnitude <= Self.farthestTime.magnitude else { return false }
        if head + pendingRows == (chunk + 1) * ColumnCodec.rows {
            try publish()
            try turn(active)
        }
        let row = firstPendingRow + pendingRows
        if hasLeftovers {
            active.clearMasks(keeping: ColumnCodec.everyRow(row))
            hasLeftovers = false
        }
        unsafe active.header[ActiveChunk.Word.rowTimes + row].store(UInt64(bitPattern: time), ordering: .relaxed)
        pendingRows += 1
        pendingOldest = min(pendingOldest, time)
        pendingNewest = max(pendingNewest, time)
        return true
    }

    /// Seals the full chunk and reuses its memory for the next one.
    ///
    /// The order matters: until the chunk is sealed, the memory and the row log hold the only copies of the rows.
    func turn(_ active: ActiveChunk) throws(StoreError) {
        if chunk > unclaimedThrough { retireUnclaimed() }
        try seal()
        releaseRows()
        checkInvariants()
        chunk += 1
        unsafe active.header[ActiveChunk.Word.chunk].store(UInt64(chunk), ordering: .releasing)
        atomicMemoryFence(ordering: .releasing)
        active.clearMasks(keeping: 0)
        active.histograms.clear()
        hasLeftovers = false
        // The newest time is carried over, so that it never decreases from one chunk to the next.
        unsafe active.header[ActiveChunk.Word.oldest].store(UInt64(bitPattern: .max), ordering: .relaxed)
    }

    /// Makes the pending rows visible.
    ///
    /// The series log's records about their series are written first, so that after a crash every row has its labels.
    /// Then the rows are written, so that a crash loses no rows that a reader has seen.
    func publish() throws(StoreError) {
        guard let active, pendingRows > 0 else { return }
        typealias Word = ActiveChunk.Word
        let oldest = unsafe Int64(bitPattern: active.header[Word.oldest].load(ordering: .relaxed))
        let newest = unsafe Int64(bitPattern: active.header[Word.newest].load(ordering: .relaxed))
        let range = (oldest: min(oldest, pendingOldest), newest: max(newest, pendingNewest))
        try core.log?.flush()
        try logPending(active, range)
        unsafe active.header[Word.oldest].store(UInt64(bitPattern: range.oldest), ordering: .relaxed)
        unsafe active.header[Word.newest].store(UInt64(bitPattern: range.newest), ordering: .relaxed)
        core.newestTime.max(pendingNewest, ordering: .relaxed)
        head += pendingRows
        endPending()
        unsafe active.header[Word.head].store(UInt64(head), ordering: .releasing)
    }

    /// Discards the pending rows.
    func rollBack() {
        outOfOrder.pending.removeAll()
        guard let active, pendingRows > 0 else { return }
        let pending = ~ColumnCodec.everyRow(firstPendingRow) & ColumnCodec.everyRow(firstPendingRow + pendingRows)
        endPending()
        hasLeftovers = true
        for blockIndex in 0..<active.blockCount {
            let block = unsafe active.blocks[blockIndex]
            for column in 0..<(unsafe block.width) {
                let state = unsafe block.states[column]
                guard state.series != SeriesIndex.none else { continue }
                let slot = RingSlot(block: blockIndex, column: column)
                guard active.rows(of: slot, companions(state)) & pending != 0 else { continue }
                let newest = lastSample(slot, companions(state), birth: state.birth, death: UInt32(chunk))
                unsafe block.states[column].newest = newest?.time ?? .min
            }
        }
    }

    private func endPending() {
        pendingRows = 0
        pendingOldest = .max
        pendingNewest = .min
    }

    /// Appends a sample of any kind, with all checks.
    func append(_ slot: RingSlot, _ value: StoredValue, at time: Int64, rowTime: Int64) -> AppendOutcome {
        guard let active, let state = state(of: slot, for: time), state.series != SeriesIndex.none else {
            return .unknownSlot
        }
        if let conflict = conflict(slot, value, at: time, state) { return conflict }
        if time < state.newest, !takesAnyOrder { return appendOutOfOrder(slot, value, at: time, state.series) }
        guard let companions = companions(of: slot, state, times: time != rowTime, histograms: value.isHistogram)
        else { return .unknownSlot }
        // A sample goes to the first pending row after those that the series already has.
        let used = active.rows(of: slot, companions) & ~ColumnCodec.everyRow(firstPendingRow)
        var row = used == 0 ? firstPendingRow : RowMask.bitWidth - used.leadingZeroBitCount
        if row >= firstPendingRow + pendingRows {
            do throws(StoreError) {
                guard try openRow(rowTime) else { return .unknownSlot }
            } catch {
                return .unknownSlot
            }
            row = firstPendingRow + pendingRows - 1
        }
        switch value {
        case .float(let value):
            active.set(slot, row, value.bitPattern)
        case .histogram(let histogram):
            guard let column = companions.histograms?.slot, let words = HistogramWords.encode(histogram),
                let offset = active.histograms.append(words)
            else { return .unknownSlot }
            active.set(column, row, Double(offset).bitPattern)
        }
        if time != rowTime, let column = companions.times?.slot { active.set(column, row, Double(time).bitPattern) }
        pendingOldest = min(pendingOldest, time)
        pendingNewest = max(pendingNewest, time)
        withState(of: slot) { $0.newest = max($0.newest, time) }
        return .appended
    }

    /// Why a sample would be rejected, or `nil`.
    func conflict(
        _ slot: RingSlot, _ value: StoredValue, at time: Int64, _ state: ActiveChunk.SlotState
    ) -> AppendOutcome? {
        guard time.magnitude <= Self.farthestTime.magnitude else { return .outOfBounds }
        if time < state.newest { return takesAnyOrder ? nil : core.refusal(ofOutOfOrder: time) }
        guard time == state.newest else { return nil }
        let last = lastSample(slot, companions(state), birth: state.birth, death: UInt32(chunk))
        guard let last, last.time == time else { return nil }
        return last.value.isSame(as: value) ? .alreadyPresent : .duplicateTimestamp
    }

    /// The slot's companions, including the requested ones, which are taken if necessary; `nil` if there is no memory.
    private func companions(
        of slot: RingSlot, _ state: ActiveChunk.SlotState, times: Bool, histograms: Bool
    ) -> SeriesIndex.Companions? {
        var companions = companions(state)
        let needsTimes = times && companions.times == nil
        let needsHistograms = histograms && companions.histograms == nil
        guard needsTimes || needsHistograms else { return companions }
        do throws(StoreError) {
            if needsTimes { companions.times = (try takeSlot(), UInt32(nextChunk)) }
            if needsHistograms { companions.histograms = (try takeSlot(), UInt32(nextChunk)) }
        } catch {
            if needsTimes, let times = companions.times?.slot { spareSlots.append(times) }
            return nil
        }
        var place = state.companions
        if place == ActiveChunk.SlotState.none {
            if freeCompanions.isEmpty {
                freeCompanions.append(UInt32(companionList.count))
                companionList.append(companions)
            }
            place = freeCompanions.removeLast()
            withState(of: slot) { $0.companions = place }
        }
        companionList[Int(place)] = companions
        core.catalog.write {
            $0.index.setCompanions(companions, lane: id.rawValue, slot: slot, birth: state.birth)
            let location = SeriesIndex.Location(lane: id.rawValue, slot: slot, birth: state.birth)
            if needsTimes, let times = companions.times {
                core.log?.add(.companion(location, isTimes: true, column: times.slot, columnBirth: times.birth))
            }
            if needsHistograms, let column = companions.histograms {
                core.log?.add(.companion(location, isTimes: false, column: column.slot, columnBirth: column.birth))
            }
        }
        return companions
    }

    /// The newest sample of a slot in the chunks `birth...death`, including pending ones.
    func lastSample(
        _ slot: RingSlot, _ companions: SeriesIndex.Companions, birth: UInt32, death: UInt32
    ) -> (time: Int64, value: StoredValue)? {
        guard let active else { return nil }
        let pins = SegmentPins(core)
        let lowest = max(Int(birth), pins.oldestChunk(of: self))
        var number = min(Int(death), chunk)
        while number >= lowest {
            let rows: ChunkColumns?
            if let stretch = pins.stretch(of: number, in: self) {
                let part = stretch.rows.rows(from: lowest, through: number)
                let last = ChunkColumns(stretch, part, slot, companions).last
                if let last { return last }
                number = Int(stretch.header.firstChunk) - 1
                continue
            }
            if let record = unsafe pins.record(of: number, in: self) {
                rows = unsafe ChunkColumns(record, rowCount: Int(record.header.rowCount), slot, companions)
            } else if number == chunk {
                rows = ChunkColumns(active, chunk, rowCount: firstPendingRow + pendingRows, slot, companions)
            } else if let stretch = pins.stretch(of: number, in: self, hasMoved: true) {
                rows = ChunkColumns(stretch, stretch.rows.rows(from: number, through: number), slot, companions)
            } else {
                rows = nil
            }
            if let last = rows?.last { return last }
            number -= 1
        }
        return nil
    }

    /// Sets the newest time of a series' new slot to that of its previous location.
    func carryNewest(of former: SeriesIndex.Location, to slot: RingSlot) {
        let companions = core.catalog.read { $0.index.companions(of: former) }
        let last = lastSample(former.slot, companions, birth: former.birth, death: former.death)
        if let last { withState(of: slot) { $0.newest = last.time } }
    }
}

extension ActiveChunk {
    /// Clears the bits of all rows except those in `kept`. Called by the writer.
    func clearMasks(keeping kept: RowMask) {
        let blocks = unsafe self.blocks
        for index in 0..<blockCount {
            for column in 0..<(unsafe blocks[index].width) {
                let mask = unsafe blocks[index].masks[column].load(ordering: .relaxed)
                if mask & ~kept != 0 { unsafe blocks[index].masks[column].store(mask & kept, ordering: .relaxed) }
            }
        }
    }

    /// Clears the slots from `position` on. Called by the writer.
    func clearMasks(from position: Int) {
        let first = Self.slot(at: position)
        for index in first.block..<max(first.block, blockCount) {
            for column in (index == first.block ? first.column : 0)..<(unsafe blocks[index].width) {
                unsafe blocks[index].masks[column].store(0, ordering: .relaxed)
            }
        }
    }

    /// Clears one slot. Called by the writer.
    func clearMask(of slot: RingSlot) {
        unsafe blocks[slot.block].masks[slot.column].store(0, ordering: .relaxed)
    }

    /// Stores one value. Called by the writer.
    func set(_ slot: RingSlot, _ row: Int, _ bits: UInt64) {
        let block = unsafe blocks[slot.block]
        let mask = unsafe block.masks[slot.column].load(ordering: .relaxed)
        unsafe block.values[row * block.width + slot.column].store(bits, ordering: .relaxed)
        unsafe block.masks[slot.column].store(mask | 1 << RowMask(row), ordering: .relaxed)
    }

    /// The rows in which a series has a sample of any kind.
    func rows(of slot: RingSlot, _ companions: SeriesIndex.Companions) -> RowMask {
        let own = unsafe blocks[slot.block].masks[slot.column].load(ordering: .relaxed)
        guard let column = companions.histograms?.slot else { return own }
        return unsafe own | blocks[column.block].masks[column.column].load(ordering: .relaxed)
    }
}
