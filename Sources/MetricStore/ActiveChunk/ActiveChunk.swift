internal import Glibc
internal import Synchronization

/// The chunk a lane is writing: up to 16 rows, as the lane's writer and any number of readers share them.
///
/// ```
/// header   word   8     head: rows committed, counted through all chunks
///          words  9 10  oldest and newest time in the chunk
///          word  16     the chunk being written
///          words 32…47  time of each row
/// block    UInt16 × width        a bit per row that has a sample
///          UInt64 × 16 × width   values, row by row
/// ```
/// The first blocks are small so that a lane of five series takes two pages; from the fifth on a block has 256 slots.
/// All of it is private memory; the row log has what a restart needs.
///
/// Why readers see only whole rows, and only their own chunk's:
/// 1. The writer fills a row with relaxed stores and then stores `head` with release. A reader that loads `head` with
///    acquire sees everything in the rows below it. It never looks at rows from `head` on.
/// 2. Rows below `head` do not change until the writer turns to the next chunk. Before that it seals the chunk, stores
///    its place in the directory, stores the new number into `chunk` with release, and passes a release fence; only
///    then does it overwrite rows.
/// 3. A reader loads what it wants with relaxed loads, passes an acquire fence, and loads `chunk` with acquire. If any
///    of its loads saw a value stored after the writer's fence, the fences order the writer's store to `chunk` before
///    this load, so it sees the new number (Boehm 2012, "Can seqlocks get along with programming language memory
///    models?"). Then it drops what it read and takes the sealed chunk. Its place is visible because the load that saw
///    the new number acquired what the writer had released with it; a relaxed load would not be enough where no row was
///    seen to change.
///
/// `InterleavingTests` explores every interleaving of these steps under weak memory, and shows that none can be
/// weakened.
///
/// `@unchecked`: writing is the lane's writer's alone, shared words are atomics, and the rest is set before it is
/// published.
@safe final class ActiveChunk: @unchecked Sendable {
    enum Word {
        static let head = 8
        static let oldest = 9
        static let newest = 10
        static let chunk = 16
        static let rowTimes = 32
    }

    /// One block. Immutable once it is in the table.
    @unsafe struct Block {
        let width: Int
        /// A bit per row, by slot.
        let masks: UnsafeMutablePointer<Atomic<RowMask>>
        /// Values, row by row.
        let values: AtomicWords
        /// The writer's own.
        let states: UnsafeMutablePointer<SlotState>
    }

    /// The writer's state of a slot.
    struct SlotState {
        /// Time of the slot's newest sample, pending ones included; `Int64.max` where the slot takes no samples.
        var newest = Int64.max
        /// Index of the slot's companions in the lane's list, or ``none``.
        var companions = SlotState.none
        /// The first chunk of the slot's present series.
        var birth: UInt32 = 0
        /// The present series, or ``SeriesIndex/none``.
        var series = SeriesIndex.none
        /// Whether an earlier process left the slot and this one has not asked for it yet.
        var isUnclaimed = false

        static let none = UInt32.max
    }

    /// Slots in block `index`: 32, 32, 64, 128, 256, 256, …
    static func width(ofBlock index: Int) -> Int {
        index >= 4 ? 256 : max(32, 16 << index)
    }

    /// How many slots there are before `slot`.
    static func position(of slot: RingSlot) -> Int {
        start(ofBlock: slot.block) + slot.column
    }

    /// The slot at a position.
    static func slot(at position: Int) -> RingSlot {
        var block = position >= 256 ? 3 + position / 256 : 0
        while start(ofBlock: block + 1) <= position { block += 1 }
        return RingSlot(block: block, column: position - start(ofBlock: block))
    }

    /// How many slots there are before block `index`.
    static func start(ofBlock index: Int) -> Int {
        index >= 4 ? 256 * (index - 3) : index == 0 ? 0 : 16 << index
    }

    /// Bytes of block `index`: whole lines of the cache, since blocks lie side by side.
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
    /// Tables that were outgrown. Readers may still look at them; together they are smaller than the present one.
    var oldTables: [UnsafeMutablePointer<Block>] = unsafe []
    var mappings: [Mapping]
    /// Memory mapped but not yet taken by a block.
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

    /// The blocks. A reader may use those of slots that the index names; the writer all.
    var blocks: UnsafeMutablePointer<Block> {
        unsafe table.load(ordering: .acquiring)
    }

    /// Rows committed, counted through all chunks.
    var head: Int { unsafe Int(header[Word.head].load(ordering: .acquiring)) }

    /// From the oldest to the newest committed time in the chunk.
    var timeRange: ClosedRange<Int64>? {
        let oldest = unsafe Int64(bitPattern: header[Word.oldest].load(ordering: .relaxed))
        let newest = unsafe Int64(bitPattern: header[Word.newest].load(ordering: .relaxed))
        return oldest <= newest ? oldest...newest : nil
    }

    /// Bytes taken for blocks.
    var byteCount: Int { (0..<blockCount).reduce(Self.headerBytes) { $0 + Self.size(ofBlock: $1) } }

    /// Adds a block of unused slots. The writer's.
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
        // Readers learn of the block's slots through the index, under its lock, after this.
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
    /// The times of the first `count` rows of `chunk`; `nil` when the writer has turned to another chunk.
    func times(ofChunk chunk: Int, count: Int) -> [Int64]? {
        let times = (0..<count).map { row in
            unsafe Int64(bitPattern: header[Word.rowTimes + row].load(ordering: .relaxed))
        }
        return isStill(chunk) ? times : nil
    }

    /// Copies the column of `slot` for the first `count` rows of `chunk` and says which rows have a value; `nil` when
    /// the writer has turned to another chunk.
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

    /// Copies `rows` of several columns of a block, each to its place `stride` values after the one before, and says
    /// which rows have a value; `false` when the writer has turned to another chunk.
    ///
    /// Goes through the rows eight at a time, so that each line of memory is fetched once.
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
