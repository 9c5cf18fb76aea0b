/// The rows that a recovery found of a lane's active chunk.
struct RestoredRows {
    private(set) var chunk: Int
    private(set) var rowCount = 0
    /// The file with the first row.
    private(set) var pin: UInt32?
    private(set) var wordCount = 0
    private var isBroken = false

    /// - Parameter chunk: the chunk after the last sealed one.
    init(chunk: Int) {
        self.chunk = chunk
    }

    /// A note about missing rows.
    var note: String? { isBroken ? "rows after row \(rowCount) of chunk \(chunk) are lost" : nil }

    /// Restores a record if it continues the newest chunk.
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
        // Files that a lane does not need may be removed while later ones have rows of the same chunk. Such rows are
        // repeated later.
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
