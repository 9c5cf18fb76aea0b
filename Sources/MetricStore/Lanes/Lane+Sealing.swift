internal import MetricModel
internal import Synchronization

extension Lane {
    /// Encodes the committed rows of the chunk into a segment and enters its place in the directory.
    ///
    /// - Throws: if there is no memory or disk space. Then nothing has changed, and the failure is counted.
    func seal() throws(StoreError) {
        guard let active else { return }
        let rowCount = head - chunk * ColumnCodec.rows
        let encoder = unsafe ChunkEncoder(active, rowCount: rowCount)
        defer { unsafe encoder.buffer.deallocate() }
        let newest = unsafe Int64(bitPattern: active.header[ActiveChunk.Word.newest].load(ordering: .relaxed))
        let oldest = unsafe Int64(bitPattern: active.header[ActiveChunk.Word.oldest].load(ordering: .relaxed))
        let header = unsafe ChunkHeader(
            length: 0, lane: id.rawValue, chunk: UInt32(chunk), rowCount: UInt32(rowCount),
            blockCount: UInt32(active.blockCount), sampleCount: encoder.sampleCount, oldest: oldest, newest: newest,
            ascending: encoder.isAscending ? 1 : 0, bodyChecksum: 0, revision: core.log?.revision ?? 0)
        do throws(StoreError) {
            unsafe directory.add(chunk, at: try core.segments.append(header, unsafe encoder.body))
        } catch {
            core.failedSeals.wrappingAdd(1, ordering: .relaxed)
            throw error
        }
    }
}

/// Builds the body of a sealed chunk in the layout of ``ChunkHeader``. The owner frees `buffer`.
@unsafe private struct ChunkEncoder {
    let buffer: UnsafeMutableRawPointer
    private(set) var sampleCount: UInt32 = 0
    private(set) var isAscending = true
    private var end: Int

    var body: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: buffer, count: end) }

    init(_ active: ActiveChunk, rowCount: Int) {
        let parts = 2 + active.blockCount
        let widths = (0..<active.blockCount).reduce(0) { $0 + ActiveChunk.width(ofBlock: $1) }
        let histograms = active.histograms.used
        let most =
            4 * parts + ColumnCodec.longest + widths * (ColumnCodec.longest + 3) + 16 * parts + 8 * histograms + 64
        unsafe buffer = .allocate(byteCount: most, alignment: 16)
        unsafe end = 4 * parts
        unsafe addTimes(active, rowCount)
        for index in 0..<active.blockCount { unsafe addBlock(active.blocks[index], part: 2 + index, rowCount) }
        unsafe beginPart(1)
        for offset in 0..<histograms {
            unsafe buffer.storeBytes(of: active.histograms[offset], toByteOffset: end + 8 * offset, as: UInt64.self)
        }
        unsafe end += 8 * histograms
        // Decoding may read slightly past the end. The record as a whole is aligned.
        let padded =
            unsafe (ChunkHeader.size + end + ColumnCodec.slack + ChunkHeader.alignment - 1)
            & -ChunkHeader.alignment
        let padding = unsafe padded - ChunkHeader.size - end
        unsafe (buffer + end).initializeMemory(as: UInt8.self, repeating: 0, count: padding)
        unsafe end += padding
    }

    private mutating func beginPart(_ part: Int) {
        unsafe end = (end + 7) & ~7
        unsafe buffer.storeBytes(of: UInt32(ChunkHeader.size + end), toByteOffset: 4 * part, as: UInt32.self)
    }

    private mutating func addTimes(_ active: ActiveChunk, _ rowCount: Int) {
        unsafe beginPart(0)
        unsafe withUnsafeTemporaryAllocation(of: Int64.self, capacity: rowCount) { times in
            for row in 0..<rowCount {
                unsafe times[row] = unsafe Int64(
                    bitPattern: active.header[ActiveChunk.Word.rowTimes + row].load(ordering: .relaxed))
                if row > 0, unsafe times[row] <= times[row - 1] { unsafe isAscending = false }
            }
            unsafe end += ColumnCodec.encodeTimes(times, into: buffer + end)
        }
    }

    private mutating func addBlock(_ block: ActiveChunk.Block, part: Int, _ rowCount: Int) {
        unsafe beginPart(part)
        let start = unsafe end
        let width = unsafe block.width
        unsafe end += 2 * (width + 1)
        let rows = ColumnCodec.everyRow(rowCount)
        unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: ColumnCodec.rows) { values in
            for column in 0..<width {
                unsafe setOffset(column, start)
                let mask = unsafe block.masks[column].load(ordering: .relaxed) & rows
                if mask == 0 { continue }
                for row in 0..<rowCount {
                    unsafe values[row] = block.values[row * width + column].load(ordering: .relaxed)
                }
                unsafe end += ColumnCodec.encode(
                    values.baseAddress!, present: mask, rowCount: rowCount, into: buffer + end)
                unsafe end = (end + 1) & ~1
                unsafe sampleCount += UInt32(mask.nonzeroBitCount)
            }
        }
        unsafe setOffset(width, start)
    }

    private func setOffset(_ column: Int, _ start: Int) {
        unsafe buffer.storeBytes(
            of: UInt16((end - start) / 2), toByteOffset: start + 2 * column, as: UInt16.self)
    }
}
