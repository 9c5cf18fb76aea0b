internal import Glibc
internal import Synchronization

/// Words that one thread writes while others read.
typealias AtomicWords = UnsafeMutablePointer<Atomic<UInt64>>

/// A stretch of memory from `mmap`, zeroed when it is new, given back when its owner lets go.
///
/// `@unchecked`: this owns the memory and never touches its content; who may is said by the types that lay it out.
@safe final class Mapping: @unchecked Sendable {
    /// The size of a page, to which every mapping is rounded.
    static let page = 4096

    let base: UnsafeMutableRawPointer
    let count: Int

    /// Private memory.
    init(anonymous count: Int) throws(StoreError) {
        self.count = count
        unsafe base = try Self.map(count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    }

    /// `count` bytes of `file` from `offset` on, to be read; what is written to the file shows.
    init(_ file: borrowing OpenFile, offset: Int, count: Int) throws(StoreError) {
        self.count = count
        unsafe base = try Self.map(count, PROT_READ, MAP_SHARED, file.descriptor, offset)
    }

    deinit {
        unsafe munmap(base, count)
    }

    /// Releases the resident pages of a file; they are read again on the next access.
    func release() {
        unsafe madvise(base, count, MADV_DONTNEED)
    }

    /// Has the kernel provide the pages of private memory now, in one go, instead of by a fault each when they are
    /// first written. Where there is no memory for it, or the kernel is older than Linux 5.14, that is left to the
    /// faults.
    static func populate(_ memory: UnsafeRawBufferPointer) {
        guard let start = memory.baseAddress else { return }
        let inPage = Int(bitPattern: start) & (page - 1)
        unsafe madvise(UnsafeMutableRawPointer(mutating: start - inPage), memory.count + inPage, populateForWriting)
    }

    /// `MADV_POPULATE_WRITE`, of Linux 5.14 and later.
    private static let populateForWriting: CInt = 23

    /// All bytes, for as long as the mapping is held.
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

/// The last system call's reason.
enum SystemFailure {
    static func text(_ number: Int32 = errno) -> String {
        unsafe String(cString: strerror(number))
    }
}
