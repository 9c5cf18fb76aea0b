internal import Synchronization

/// The part of a lane's active chunk that is in the row log.
struct LoggedRows {
    /// The file in which the chunk's rows begin.
    var pin: UInt32?
    var chunk = 0
    var rowCount = 0
    var blockCount = 0
    var wordCount = 0
    /// Oldest and newest time.
    var range = (oldest: Int64.max, newest: Int64.min)
}

extension Lane {
    /// Writes the pending rows to the row log, where a restart finds them.
    func logPending(_ active: ActiveChunk, _ range: (oldest: Int64, newest: Int64)) throws(StoreError) {
        guard let rowLog = core.rowLog else { return }
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

    /// Releases the chunk's rows in the row log, once it is sealed.
    func releaseRows() {
        guard let rowLog = core.rowLog else { return }
        logged.withLock { logged in
            rowLog.release(&logged.pin)
            logged = LoggedRows()
        }
    }

    /// Writes all rows of the chunk once more if they begin in `file` or an older one, so that those can go.
    ///
    /// Unlike what else is written this may be called from any thread. The lock keeps the writer from turning to the
    /// next chunk; rows below the last committed one do not change until then.
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
