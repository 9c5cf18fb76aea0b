internal import Glibc
internal import MetricModel
internal import Synchronization

/// The rows of all lanes that are not in a sealed chunk yet, in commit order.
///
/// ```
/// rows/N   magic, version, store, number, checksum of these, a word each and padded to 64 bytes; then RowRecords
/// ```
/// A commit writes its record before readers see the rows: data in the kernel survive the end of the process. One log
/// for all lanes writes full pages. A file is removed when every lane has sealed its rows in it and in older files. If
/// slow lanes hold back more than ``budget`` bytes, their rows are written again at the end of the log
/// (``MetricStore``'s `maintain`).
///
/// Writers hold the lock for one `pwrite` per commit. Readers never use it.
final class RowLog: Sendable {
    static let headerSize = 64

    private struct State: ~Copyable {
        /// `nil` before the first record and when a file is full.
        var file: OpenFile?
        /// By number; the last one is `file`.
        var files: [(number: UInt32, size: Int, pins: Int)] = []
        var nextNumber: UInt32 = 1
    }

    let directory: StoreDirectory
    /// Bytes of finished files that slow lanes may hold back.
    let budget: Int
    /// The size limit of a file. A single larger record gets a file of its own.
    private let fileSize: Int
    private let state = Mutex(State())

    init(_ directory: StoreDirectory, budget: Int) {
        self.directory = directory
        self.budget = budget
        fileSize = budget / 8
    }

    /// The header of a file.
    static func identity(store: UInt64, number: UInt32) -> [UInt64] {
        let words: [UInt64] = [0x3130_5357_4f52_5254, 2, store, UInt64(number)]
        return words + [unsafe words.withUnsafeBytes { unsafe ByteHash.checksum($0) }]
    }

    /// The size of all files in bytes.
    var byteCount: Int { state.withLock { $0.files.reduce(0) { $0 + $1.size } } }

    /// Writes `record` and keeps its file while `pin` refers to it. A record that starts a chunk moves the pin to its
    /// file.
    func append(_ record: UnsafeMutableRawBufferPointer, pin: inout UInt32?) throws(StoreError) {
        let checksum = unsafe RowRecordHeader.checksum(of: UnsafeRawBufferPointer(record))
        let begins = unsafe record.load(as: RowRecordHeader.self).firstRow == 0
        let old = pin
        pin = try state.withLock { state throws(StoreError) in
            if let last = state.files.last, last.size + record.count > fileSize, last.size > Self.headerSize {
                state.file = nil
            }
            if state.file == nil { try addFile(&state) }
            let last = state.files.count - 1
            let offset = state.files[last].size
            let place = RowRecordHeader.place(file: state.files[last].number, offset: offset)
            unsafe record.storeBytes(of: checksum ^ place, as: UInt64.self)
            unsafe try state.file?.write(UnsafeRawBufferPointer(record), at: offset)
            state.files[last].size += record.count
            guard begins else { return old }
            state.files[last].pins += 1
            let number = state.files[last].number
            if old != nil {
                Self.unpin(old, &state)
                removeUnneeded(&state)
            }
            return number
        }
    }

    private func addFile(_ state: inout State) throws(StoreError) {
        let number = state.nextNumber
        let identity = unsafe Self.identity(store: directory.store, number: number).withUnsafeBytes { unsafe Array($0) }
        let file = try OpenFile.make(directory.rows(number)) { (file) throws(StoreError) in
            try file.append(identity + [UInt8](repeating: 0, count: Self.headerSize - identity.count))
        }
        state.nextNumber += 1
        state.file = consume file
        state.files.append((number, Self.headerSize, 0))
        removeUnneeded(&state)
    }

    /// Releases the file that `pin` refers to.
    func release(_ pin: inout UInt32?) {
        guard pin != nil else { return }
        state.withLock { state in
            Self.unpin(pin, &state)
            removeUnneeded(&state)
        }
        pin = nil
    }

    private static func unpin(_ pin: UInt32?, _ state: inout State) {
        guard let index = state.files.firstIndex(where: { $0.number == pin }) else { return }
        state.files[index].pins -= 1
    }

    /// Removes the oldest files that no lane needs, but never the one being written.
    private func removeUnneeded(_ state: inout State) {
        while state.files.count > 1, let first = state.files.first, first.pins == 0 {
            unsafe unlink(directory.rows(first.number))
            state.files.removeFirst()
        }
    }

    /// The newest overdue file. Rows in it and in older files must be rewritten, so that at most ``budget`` bytes of
    /// finished files are held back.
    var overdue: UInt32? {
        state.withLock { state in
            var waiting = state.files.dropLast().reduce(0) { $0 + $1.size }
            var found: UInt32?
            for file in state.files.dropLast() where waiting > budget {
                found = file.number
                waiting -= file.size
            }
            return found
        }
    }
}

extension RowLog {
    /// Calls `found` with every complete record of an earlier process and its file, oldest first.
    ///
    /// All files are kept until ``recovered()``.
    /// - Returns: a note for each file or record that was renamed or skipped.
    func recover(_ found: (RowRecordHeader, UnsafeRawBufferPointer, UInt32) -> Void) -> [String] {
        var notes: [String] = []
        for number in StoreDirectory.numbers(in: directory.rowFiles) {
            let path = directory.rows(number)
            do throws(StoreError) {
                let size = unsafe try recover(number, path, &notes, found)
                state.withLock { $0.files.append((number, size, 0)) }
            } catch {
                notes.append("\(error.message): \(StoreDirectory.setAside(path))")
            }
            state.withLock { $0.nextNumber = number + 1 }
        }
        return notes
    }

    /// Keeps file `number` for a lane whose rows begin in it.
    func pin(_ number: UInt32) {
        state.withLock { state in
            guard let index = state.files.firstIndex(where: { $0.number == number }) else { return }
            state.files[index].pins += 1
        }
    }

    /// Removes files that no lane has pinned, after a recovery.
    func recovered() {
        state.withLock { state in
            removeUnneeded(&state)
            // If no file is open, the last one is finished too.
            guard state.files.count == 1, state.files[0].pins == 0 else { return }
            unsafe unlink(directory.rows(state.files[0].number))
            state.files = []
        }
    }

    /// - Returns: the size of the file in bytes.
    private func recover(
        _ number: UInt32, _ path: String, _ notes: inout [String],
        _ found: (RowRecordHeader, UnsafeRawBufferPointer, UInt32) -> Void
    ) throws(StoreError) -> Int {
        let file = try OpenFile(path, create: false)
        let size = file.size
        guard size >= Self.headerSize else { throw StoreError(.system, "\(path) is truncated") }
        let mapping = try Mapping(file, offset: 0, count: size)
        for (index, word) in Self.identity(store: directory.store, number: number).enumerated() {
            guard unsafe mapping.words(at: 8 * index).pointee.load(ordering: .relaxed) == word else {
                throw StoreError(.system, "\(path) is not a row log of this store")
            }
        }
        let bytes = unsafe UnsafeRawBufferPointer(start: mapping.base, count: size)
        var offset = Self.headerSize
        while offset < size {
            if let (header, record) = unsafe Self.record(bytes, offset, of: number) {
                unsafe found(header, record, number)
                offset += record.count
                continue
            }
            // A crash leaves an incomplete end. Anything else is damage; rows of other lanes after it may be intact.
            let start = offset
            repeat {
                offset += RowRecordHeader.alignment
                if unsafe Self.record(bytes, offset, of: number) != nil { break }
            } while offset < size
            notes.append("\(path): bytes \(start) to \(min(offset, size)) are torn or damaged and skipped")
        }
        return size
    }
    /// The record at `offset`, if it is complete and was written for this place.
    private static func record(
        _ bytes: UnsafeRawBufferPointer, _ offset: Int, of file: UInt32
    ) -> (RowRecordHeader, UnsafeRawBufferPointer)? {
        guard offset + RowRecordHeader.size <= bytes.count else { return nil }
        let header = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: RowRecordHeader.self)
        let length = Int(header.length)
        guard header.mark == RowRecordHeader.mark, length >= RowRecordHeader.size, length <= bytes.count - offset
        else { return nil }
        let record = unsafe UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
        let checksum = unsafe RowRecordHeader.checksum(of: record) ^ RowRecordHeader.place(file: file, offset: offset)
        return unsafe checksum == header.checksum ? (header, record) : nil
    }
}
