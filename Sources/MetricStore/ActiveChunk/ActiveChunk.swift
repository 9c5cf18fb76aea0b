internal import Glibc
internal import Synchronization

/// The chunk that a lane is writing: up to 16 rows, shared by the lane's writer and any number of readers.
///
/// ```
/// header   word   8     head: rows committed, over all chunks
///          words  9 10  oldest and newest time in the chunk
///          word  16     the chunk being written
///          words 32…47  time of each row
/// block    UInt16 × width        a bit per row that has a sample
///          UInt64 × 16 × width   values, row by row
/// ```
/// The first blocks are small, so that a lane of five series takes two pages. From the fifth on, a block has 256 slots.
/// All memory is private; a restart reads the row log instead.
///
/// Readers see only complete rows, and only of their own chunk, because:
/// 1. The writer fills a row with relaxed stores and then stores `head` with release. A reader that loads `head` with
///    acquire sees all values of the rows below it. It never reads rows from `head` on.
/// 2. Rows below `head` do not change until the writer starts the next chunk. Before that it seals the chunk, stores
///    its place in the directory, stores the new number into `chunk` with release, and passes a release fence; only
///    then does it overwrite rows.
/// 3. A reader loads its values with relaxed loads, passes an acquire fence, and loads `chunk` with acquire. If any
///    of its loads saw a value stored after the writer's fence, the fences order the writer's store to `chunk` before
///    this load, so it sees the new number (Boehm 2012, "Can seqlocks get along with programming language memory
///    models?"). Then it discards its values and reads the sealed chunk. Its place is visible because the load that saw
///    the new number acquired the writer's release of it; a relaxed load would not be enough if no row was seen to
///    change.
///
/// `InterleavingTests` checks every interleaving of these steps under weak memory, and that no step can be weakened.
///
/// `@unchecked`: only the lane's writer writes, shared words are atomics, and all else is set before it is published.
@safe final class ActiveChunk: @unchecked Sendable {
    enum Word {
        static let head = 8
        static let oldest = 9
        static let newest = 10
        static let chunk = 16
        static let rowTimes = 32
    }

    /// A block. Immutable once it is in the table.
    @unsafe struct Block {
        let width: Int
        /// A bit per row, by slot.
        let masks: UnsafeMutablePointer<Atomic<RowMask>>
        /// Values, row by row.
        let values: AtomicWords
        /// For the writer only.
        let states: UnsafeMutablePointer<SlotState>
    }

    /// The writer's state of a slot.
    struct SlotState {
        /// Time of the slot's newest sample, including pending ones; `Int64.max` if the slot accepts no samples.
        var newest = Int64.max
        /// Index of the slot's companions in the lane's list, or ``none``.
        var companions = SlotState.none
        /// The first chunk of the slot's current series.
        var birth: UInt32 = 0
        /// The current series, or ``SeriesIndex/none``.
        var series = SeriesIndex.none
        /// Whether the slot is from an earlier process and this one has not used it yet.
        var isUnclaimed = false
        /// Whether ``newest`` may be later than the newest sample, since a restart.
        var isBound = false

        static let none = UInt32.max
    }

    /// Slots in block `index`: 32, 32, 64, 128, 256, 256, …
    static func width(ofBlock index: Int) -> Int {
        index >= 4 ? 256 : max(32, 16 << index)
    }

    /// The number of slots before `slot`.
    static func position(of slot: RingSlot) -> Int {
        start(ofBlock: slot.block) + slot.column
    }

    /// The slot at a position.
    static func slot(at position: Int) -> RingSlot {
        var block = position >= 256 ? 3 + position / 256 : 0
        while start(ofBlock: block + 1) <= position { block += 1 }
        return RingSlot(block: block, column: position - start(ofBlock: block))
    }

    /// The number of slots before block `index`.
    static func start(ofBlock index: Int) -> Int {
        index >= 4 ? 256 * (index - 3) : index == 0 ? 0 : 16 << index
    }

    /// Bytes of block `index`: whole cache lines, because blocks are adjacent.
    static func size(ofBlock index: Int) -> Int {
        let width = width(ofBlock: index)
        return maskBytes(width) + 8 * ColumnCodec.rows * width
    }

    private static func maskBytes(_ width: Int) -> Int { (MemoryLayout<RowMask>.size * width + 63) & -64 }

    private static let headerBytes = 512

    let header: AtomicWords
    let histograms = HistogramArena()
    private let table: Atomic<UnsafeMutablePointer<Block>>
    var blockCount = 0
    var capacity = 4
    /// Tables replaced by larger ones. Readers may still use them. Together they are smaller than the current one.
    var oldTables: [UnsafeMutablePointer<Block>] = unsafe []
    var mappings: [Mapping]
    /// Mapped memory that no block uses yet.
    private var spare: UnsafeMutableRawPointer
    var spareBlocks: Int

    init() throws(StoreError) {
        let first = try Mapping(anonymous: Self.headerBytes + Self.size(ofBlock: 0))
        mappings = [first]
        unsafe header = first.words(at: 0)
        unsafe spare = first.base + Self.headerBytes
        spareBlocks = 1
        unsafe table = Atomic(.allocate(capacity: capacity))
        unsafe header[Word.oldest].store(UInt64(bitPattern: .max), ordering: .relaxed)
        unsafe header[Word.newest].store(UInt64(bitPattern: .min), ordering: .relaxed)
    }

    deinit {
        let blocks = unsafe self.blocks
        for index in 0..<blockCount { unsafe blocks[index].states.deallocate() }
        unsafe blocks.deallocate()
        for index in unsafe oldTables.indices { unsafe oldTables[index].deallocate() }
    }

    /// The blocks. A reader may use only those whose slots are in the index; the writer may use all.
    var blocks: UnsafeMutablePointer<Block> {
        unsafe table.load(ordering: .acquiring)
    }

    /// Rows committed, over all chunks.
    var head: Int { unsafe Int(header[Word.head].load(ordering: .acquiring)) }

    /// The oldest and the newest committed time in the chunk.
    var timeRange: ClosedRange<Int64>? {
        let oldest = unsafe Int64(bitPattern: header[Word.oldest].load(ordering: .relaxed))
        let newest = unsafe Int64(bitPattern: header[Word.newest].load(ordering: .relaxed))
        return oldest <= newest ? oldest...newest : nil
    }

    /// Bytes used by blocks.
    var byteCount: Int { (0..<blockCount).reduce(Self.headerBytes) { $0 + Self.size(ofBlock: $1) } }

    /// Adds a block of unused slots. Called by the writer.
    func addBlock() throws(StoreError) {
        if spareBlocks == 0 {
            let count = max(1, blockCount / 4)
            let size = (blockCount..<blockCount + count).reduce(0) { $0 + Self.size(ofBlock: $1) }
            let mapping = try Mapping(anonymous: size)
            mappings.append(mapping)
            unsafe spare = unsafe mapping.base
            spareBlocks = count
        }
        let base = unsafe spare
        unsafe Mapping.populate(UnsafeRawBufferPointer(start: base, count: Self.size(ofBlock: blockCount)))
        unsafe spare += Self.size(ofBlock: blockCount)
        spareBlocks -= 1
        if blockCount == capacity { growTable() }
        let width = Self.width(ofBlock: blockCount)
        let states = UnsafeMutablePointer<SlotState>.allocate(capacity: width)
        unsafe states.initialize(repeating: SlotState(), count: width)
        let masks = unsafe base.assumingMemoryBound(to: Atomic<RowMask>.self)
        // Readers find the block's slots through the index, under its lock, after this.
        unsafe (blocks + blockCount).initialize(
            to: Block(
                width: width, masks: masks,
                values: (base + Self.maskBytes(width)).assumingMemoryBound(to: Atomic<UInt64>.self), states: states))
        blockCount += 1
    }

    private func growTable() {
        let old = unsafe blocks
        let new = UnsafeMutablePointer<Block>.allocate(capacity: 2 * capacity)
        unsafe new.initialize(from: old, count: blockCount)
        unsafe table.store(new, ordering: .releasing)
        unsafe oldTables.append(old)
        capacity *= 2
    }
}

extension ActiveChunk {
    /// The times of the first `count` rows of `chunk`; `nil` if the writer has started another chunk.
    func times(ofChunk chunk: Int, count: Int) -> [Int64]? {
        let times = (0..<count).map { row in
            unsafe Int64(bitPattern: header[Word.rowTimes + row].load(ordering: .relaxed))
        }
        return isStill(chunk) ? times : nil
    }

    /// Copies the column of `slot` for the first `count` rows of `chunk`. Returns the rows that have a value; `nil` if
    /// the writer has started another chunk.
    func column(
        _ slot: RingSlot, ofChunk chunk: Int, count: Int, into values: UnsafeMutablePointer<UInt64>
    ) -> RowMask? {
        let block = unsafe blocks[slot.block]
        let mask = unsafe block.masks[slot.column].load(ordering: .relaxed) & ColumnCodec.everyRow(count)
        var cell = slot.column
        for row in 0..<count {
            unsafe values[row] = block.values[cell].load(ordering: .relaxed)
            unsafe cell += block.width
        }
        return isStill(chunk) ? mask : nil
    }

    /// Copies `rows` of several columns of a block, each to its place `stride` values after the previous one. Returns
    /// which rows have a value, or `false` if the writer has started another chunk.
    ///
    /// Reads eight rows at a time, so that each cache line is fetched once.
    func copy(
        _ columns: ArraySlice<UInt8>, block index: Int, _ rows: Range<Int>, ofChunk chunk: Int,
        into values: UnsafeMutablePointer<UInt64>, stride: Int, _ masks: UnsafeMutablePointer<RowMask>
    ) -> Bool {
        let block = unsafe blocks[index]
        let width = unsafe block.width
        var first = rows.lowerBound
        while first < rows.upperBound {
            let end = min(first + 8, rows.upperBound)
            var output = unsafe values
            for column in columns {
                var cell = first * width + Int(column)
                for row in first..<end {
                    unsafe output[row] = block.values[cell].load(ordering: .relaxed)
                    cell += width
                }
                unsafe output += stride
            }
            first = end
        }
        let wanted = ColumnCodec.everyRow(rows.upperBound)
        for (series, column) in columns.enumerated() {
            unsafe masks[series] = block.masks[Int(column)].load(ordering: .relaxed) & wanted
        }
        return isStill(chunk)
    }

    /// Whether everything loaded before this call belongs to `chunk`.
    func isStill(_ chunk: Int) -> Bool {
        atomicMemoryFence(ordering: .acquiring)
        return unsafe header[Word.chunk].load(ordering: .acquiring) == UInt64(chunk)
    }
}
