/// The rows that a recovery has found of the chunk that a lane was writing.
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

    /// A note about missing rows.
    var note: String? { isBroken ? "rows after row \(rowCount) of chunk \(chunk) are lost" : nil }

    /// Restores a record if it is the next one of the newest chunk.
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
        // Files that a lane no longer needs may go while others still hold rows of the same chunk; such rows come again
        // later.
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
