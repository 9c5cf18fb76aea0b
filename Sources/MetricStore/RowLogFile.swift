internal import Glibc

/// The file that the row log writes to.
///
/// Records are copied into a window of the file in memory. They are the kernel's then, as after a `pwrite`, and outlive the
/// process, at a third of the price. A store to such a page would end the process where the disk is full, so the kernel is asked for
/// the pages of each record first, and where it refuses, `pwrite` says why.
struct RowLogFile: ~Copyable {
    private static let windowBytes = 64 << 10

    private let file: OpenFile
    private var window: Mapping?
    /// Where in the file the window begins.
    private var windowStart = 0
    /// The end of what was written. The file may be longer: zeros up to the end of the window.
    private var end: Int

    /// Goes on behind the `end` bytes that a new file has.
    init(_ file: consuming OpenFile, end: Int) {
        self.file = file
        self.end = end
    }

    deinit {
        // Left as it is after a crash; the zeros are known for what they are.
        if window != nil { ftruncate(file.descriptor, end) }
    }

    /// Writes all of `bytes` from `offset` on, which is where the last ones ended. After a failure anything may stand there.
    ///
    /// - Parameter limit: How long the file is to get, if no record needs more.
    mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int, limit: Int) throws(StoreError) {
        let last = offset + bytes.count
        if windowStart + (window?.count ?? 0) < last, bytes.count < Self.windowBytes / 2 {
            openWindow(offset, through: max(last, limit))
        }
        if let window, last <= windowStart + window.count, window.takePages(offset - windowStart..<last - windowStart) {
            unsafe (window.base + offset - windowStart).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
        } else {
            unsafe try file.write(bytes, at: offset)
        }
        end = last
    }

    private mutating func openWindow(_ offset: Int, through limit: Int) {
        let start = offset & -Mapping.page
        let count = min(Self.windowBytes, (limit - start + Mapping.page - 1) & -Mapping.page)
        // What fails here fails again with `pwrite`, or does not matter.
        guard (try? file.reserve(through: start + count)) != nil,
            let mapping = try? Mapping(writing: file, offset: start, count: count), mapping.takePages(0..<count)
        else { return }
        (window, windowStart) = (mapping, start)
    }
}
