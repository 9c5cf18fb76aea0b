/// The steps of the argument in `ActiveChunk`: one writer that fills chunks of two rows and turns from one to the next,
/// and one reader that takes a consistent beginning of what is committed. Readers store nothing, so one represents any
/// number.
///
/// A row has one cell, which represents its time, masks and values: all are relaxed words that the writer overwrites in
/// the same step of the argument. A sealed chunk's record is written before its place is entered in the directory; the
/// list of segments that holds the record is guarded by a lock, which orders more than is asked for here.
enum ChunkProtocol {
    static let rows = 2
    static let chunks = 3
    static let cells = 1

    /// Locations of the shared memory.
    enum Word {
        static let head = 0
        static let chunk = 1
        static let table = 2
        /// One cell of one row.
        static func cell(_ row: Int, _ cell: Int) -> Int { 3 + row * cells + cell }
        /// The entry of `chunk` in the directory's first or second table.
        static func entry(table: Int, _ chunk: Int) -> Int { 3 + rows * cells + table * chunks + chunk }
        /// A cell of a sealed chunk.
        static func sealed(_ chunk: Int, _ row: Int, _ cell: Int) -> Int {
            3 + rows * cells + 2 * chunks + (chunk * rows + row) * cells + cell
        }
        static let count = sealed(chunks, 0, 0)
    }

    /// The value of row `row`, counted through all chunks.
    static func value(_ row: Int, _ cell: Int) -> Int { 10 * (row + 1) + cell }

    /// A way to break the protocol. Each is an error that the exploration must find.
    enum Weakening: CaseIterable, Hashable {
        case headStoredRelaxed, headLoadedRelaxed
        case noReleaseFence, noAcquireFence
        case chunkStoredRelaxed, chunkLoadedRelaxed
        case chunkStoredAfterRows, directoryStoredAfterChunk
        case placeStoredRelaxed, tableStoredRelaxed
        case chunkNotCheckedAgain, sealedAfterRows, headBeforeRow
    }

    enum WriterStep: Hashable {
        case store(Int, to: Int, WeakMemory.Order)
        case releaseFence
    }

    /// The writer's program, from the first row to the last. It loads nothing that another thread stores and has no
    /// branch.
    static func writer(_ weakening: Weakening?) -> [WriterStep] {
        var steps: [WriterStep] = []
        for row in 0..<rows * chunks {
            let chunk = row / rows
            if row > 0, row % rows == 0 { steps += turn(to: chunk, weakening) }
            let fill = (0..<cells).map { cell in
                WriterStep.store(value(row, cell), to: Word.cell(row % rows, cell), .relaxed)
            }
            let publish = WriterStep.store(
                row + 1, to: Word.head, weakening == .headStoredRelaxed ? .relaxed : .synchronizing)
            steps += weakening == .headBeforeRow ? [publish] + fill : fill + [publish]
        }
        return steps
    }

    private static func turn(to chunk: Int, _ weakening: Weakening?) -> [WriterStep] {
        let old = chunk - 1
        let seal = (0..<rows).flatMap { row in
            (0..<cells).map { cell in
                WriterStep.store(value(old * rows + row, cell), to: Word.sealed(old, row, cell), .relaxed)
            }
        }
        let placeOrder: WeakMemory.Order = weakening == .placeStoredRelaxed ? .relaxed : .synchronizing
        var enter: [WriterStep] = []
        if old == 0 {
            enter = [.store(1, to: Word.entry(table: 0, 0), placeOrder)]
        } else {
            if old == 1 { enter.append(.store(1, to: Word.entry(table: 1, 0), .relaxed)) }
            enter.append(.store(1, to: Word.entry(table: 1, old), old == 1 ? .relaxed : placeOrder))
            if old == 1 {
                enter.append(
                    .store(1, to: Word.table, weakening == .tableStoredRelaxed ? .relaxed : .synchronizing))
            }
        }
        let clear = (0..<rows).flatMap { row in
            (0..<cells).map { WriterStep.store(0, to: Word.cell(row, $0), .relaxed) }
        }
        let number = WriterStep.store(
            chunk, to: Word.chunk, weakening == .chunkStoredRelaxed ? .relaxed : .synchronizing)
        switch weakening {
        case .noReleaseFence: return seal + enter + [number] + clear
        case .chunkStoredAfterRows: return seal + enter + [.releaseFence] + clear + [number]
        case .directoryStoredAfterChunk: return seal + [number, .releaseFence] + clear + enter
        case .sealedAfterRows: return enter + [number, .releaseFence] + clear + seal
        default: return seal + enter + [number, .releaseFence] + clear
        }
    }
}

/// The reader, as a machine that takes one step at a time.
struct ChunkReader: Hashable {
    enum Step: Hashable {
        case loadHead
        case loadTable, loadEntry(table: Int)
        case loadCell(Int)
        case acquireFence, loadChunk
        case loadTableAgain, loadEntryAgain(table: Int)
        case loadSealed(Int)
        /// All rows have been read.
        case done
        /// A chunk that must be sealed was not in the directory.
        case lost
    }

    private(set) var step = Step.loadHead
    private var head = 0
    private(set) var read: [Int] = []
    /// No path through the program is longer; nothing in it goes back.
    static let mostSteps = 8 + 2 * ChunkProtocol.rows * ChunkProtocol.cells

    private var chunk: Int { (head - 1) / ChunkProtocol.rows }
    private var cellCount: Int { (head - chunk * ChunkProtocol.rows) * ChunkProtocol.cells }

    /// The values that it should have read.
    var expected: [Int] {
        guard head > 0 else { return [] }
        return (0..<cellCount).map {
            ChunkProtocol.value(chunk * ChunkProtocol.rows + $0 / ChunkProtocol.cells, $0 % ChunkProtocol.cells)
        }
    }

    private func location(_ number: Int) -> (row: Int, cell: Int) {
        (number / ChunkProtocol.cells, number % ChunkProtocol.cells)
    }

    /// Every state that one step may lead to.
    func next(
        _ memory: WeakMemory, _ thread: WeakMemory.ThreadState, _ weakening: ChunkProtocol.Weakening?
    ) -> [(ChunkReader, WeakMemory.ThreadState)] {
        typealias Word = ChunkProtocol.Word
        func after(
            _ word: Int, _ order: WeakMemory.Order, _ change: (inout ChunkReader, Int) -> Void
        ) -> [(ChunkReader, WeakMemory.ThreadState)] {
            memory.loads(of: word, order, by: thread).map { value, thread in
                var next = self
                change(&next, value)
                return (next, thread)
            }
        }
        switch step {
        case .loadHead:
            return after(Word.head, weakening == .headLoadedRelaxed ? .relaxed : .synchronizing) {
                $0.head = $1
                $0.step = $1 == 0 ? .done : .loadTable
            }
        case .loadTable: return after(Word.table, .synchronizing) { $0.step = .loadEntry(table: $1) }
        case .loadEntry(let table):
            return after(Word.entry(table: table, chunk), .synchronizing) {
                $0.step = $1 == 0 ? .loadCell(0) : .loadSealed(0)
            }
        case .loadCell(let number):
            let (row, cell) = location(number)
            return after(Word.cell(row, cell), .relaxed) {
                $0.read.append($1)
                let isLast = number + 1 == $0.cellCount
                $0.step = !isLast ? .loadCell(number + 1) : weakening == .noAcquireFence ? .loadChunk : .acquireFence
            }
        case .acquireFence:
            var (next, thread) = (self, thread)
            WeakMemory.acquireFence(&thread)
            next.step = .loadChunk
            return [(next, thread)]
        case .loadChunk:
            return after(Word.chunk, weakening == .chunkLoadedRelaxed ? .relaxed : .synchronizing) {
                if $1 == $0.chunk || weakening == .chunkNotCheckedAgain {
                    $0.step = .done
                } else {
                    $0.read = []
                    $0.step = .loadTableAgain
                }
            }
        case .loadTableAgain: return after(Word.table, .synchronizing) { $0.step = .loadEntryAgain(table: $1) }
        case .loadEntryAgain(let table):
            return after(Word.entry(table: table, chunk), .synchronizing) { $0.step = $1 == 0 ? .lost : .loadSealed(0) }
        case .loadSealed(let number):
            let (row, cell) = location(number)
            return after(Word.sealed(chunk, row, cell), .relaxed) {
                $0.read.append($1)
                $0.step = number + 1 == $0.cellCount ? .done : .loadSealed(number + 1)
            }
        case .done, .lost: return []
        }
    }
}
