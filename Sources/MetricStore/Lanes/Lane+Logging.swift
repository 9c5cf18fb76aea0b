internal import Synchronization

/// The part of a lane's active chunk that is in the row log.
struct LoggedRows {
    /// The file with the chunk's first row.
    var pin: UInt32?
    var chunk = 0
    var rowCount = 0
    var blockCount = 0
    var wordCount = 0
    /// The oldest and the newest time.
    var range = (oldest: Int64.max, newest: Int64.min)
}

extension Lane {
    /// Writes the pending rows to the row log, for a restart.
    func logPending(_ active: ActiveChunk, _ range: (oldest: Int64, newest: Int64)) throws(StoreError) {
        guard isLogged, let rowLog = core.rowLog else { return }
        try logged.withLock { logged throws(StoreError) in
            var next = logged
            next.chunk = chunk
            next.rowCount = firstPendingRow + pendingRows
            next.blockCount = active.blockCount
            next.wordCount = active.histograms.used
            next.range = range
            unsafe try active.withRecord(
                lane: id.rawValue, chunk: chunk, rows: firstPendingRow..<next.rowCount, blockCount: next.blockCount,
                words: logged.wordCount..<next.wordCount, range: range,
                revision: core.log?.revision ?? 0
            ) { (record) throws(StoreError) in try unsafe rowLog.append(record, pin: &next.pin) }
            logged = next
        }
    }

    /// Releases the chunk's rows in the row log. Called when the chunk is sealed.
    func releaseRows() {
        guard let rowLog = core.rowLog else { return }
        logged.withLock { logged in
            rowLog.release(&logged.pin)
            logged = LoggedRows()
        }
    }

    /// Writes all rows of the chunk again if they begin in `file` or an older file, so that those can be removed.
    ///
    /// Unlike other writes, this may be called from any thread. The lock prevents the writer from starting the next
    /// chunk. Rows below the last committed one do not change until then.
    func rewriteRows(_ active: ActiveChunk, through file: UInt32) throws(StoreError) {
        guard let rowLog = core.rowLog else { return }
        try logged.withLock { logged throws(StoreError) in
            guard let pin = logged.pin, pin <= file else { return }
            var next = logged
            unsafe try active.withRecord(
                lane: id.rawValue, chunk: logged.chunk, rows: 0..<logged.rowCount, blockCount: logged.blockCount,
                words: 0..<logged.wordCount, range: logged.range,
                revision: core.log?.revision ?? 0
            ) { (record) throws(StoreError) in try unsafe rowLog.append(record, pin: &next.pin) }
            logged = next
        }
    }
}
