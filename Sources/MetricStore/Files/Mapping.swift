internal import Glibc
internal import Synchronization

/// Words that one thread writes while others read.
typealias AtomicWords = UnsafeMutablePointer<Atomic<UInt64>>

/// Memory from `mmap`, zeroed when it is new and unmapped when it is freed.
///
/// `@unchecked`: this owns the memory and never accesses it; the types that define its layout state who may.
@safe final class Mapping: @unchecked Sendable {
    /// The page size, to which every mapping is rounded.
    static let page = 4096

    let base: UnsafeMutableRawPointer
    let count: Int

    /// Private memory.
    init(anonymous count: Int) throws(StoreError) {
        self.count = count
        unsafe base = try Self.map(count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    }

    /// `count` bytes of `file` from `offset` on, for reading. Later writes to the file are visible.
    init(_ file: borrowing OpenFile, offset: Int, count: Int) throws(StoreError) {
        self.count = count
        unsafe base = try Self.map(count, PROT_READ, MAP_SHARED, file.descriptor, offset)
    }

    deinit {
        unsafe munmap(base, count)
    }

    /// Releases the resident pages of a file. The next access reads them again.
    func release() {
        unsafe madvise(base, count, MADV_DONTNEED)
    }

    /// Asks the kernel for all pages of private memory now, instead of one page fault each at the first write. Does
    /// nothing without free memory or on a kernel older than Linux 5.14; page faults then provide them.
    static func populate(_ memory: UnsafeRawBufferPointer) {
        guard let start = memory.baseAddress else { return }
        let inPage = Int(bitPattern: start) & (page - 1)
        unsafe madvise(UnsafeMutableRawPointer(mutating: start - inPage), memory.count + inPage, populateForWriting)
    }

    /// `MADV_POPULATE_WRITE`, since Linux 5.14.
    private static let populateForWriting: CInt = 23

    /// All bytes. Valid while the mapping exists.
    var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: base, count: count) }

    /// The words from byte `offset` on.
    func words(at offset: Int) -> AtomicWords {
        unsafe (base + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    private static func map(
        _ count: Int, _ protection: Int32, _ flags: Int32, _ descriptor: Int32, _ offset: Int
    ) throws(StoreError) -> UnsafeMutableRawPointer {
        let memory = unsafe mmap(nil, count, protection, flags, descriptor, offset)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else {
            throw StoreError(.system, "cannot map \(count) bytes: \(SystemFailure.text())")
        }
        return unsafe memory
    }
}

/// The error of the last system call.
enum SystemFailure {
    static func text(_ number: Int32 = errno) -> String {
        unsafe String(cString: strerror(number))
    }
}
