internal import CWebServer
internal import Runtime

/// A share of a byte budget held by one request or response. Returned when the last reference is released.
final class ByteCharge: Sendable {
    private let budget: ByteBudget
    private let bytes: Int

    /// `nil` if the budget does not have that many left.
    init?(_ bytes: Int, of budget: ByteBudget) {
        guard budget.take(bytes) else { return nil }
        self.budget = budget
        self.bytes = bytes
    }

    deinit {
        budget.give(bytes)
    }
}

/// The body of a request while it is received. Its memory is counted in the server's budget as it grows.
struct RequestBody {
    private var small: [UInt8] = []
    private var large: BodyMemory?
    private var charges: [ByteCharge] = []
    private let limit: Int
    private let budget: ByteBudget

    /// A body up to this size is not counted, so that small requests are served regardless of large ones.
    static let uncounted = 16 << 10

    init(limit: Int, budget: ByteBudget) {
        self.limit = limit
        self.budget = budget
    }

    /// The client has announced the length.
    func announced(_ length: Int) throws(HTTPFault) {
        guard length <= limit else { throw .bodyTooLarge }
    }

    private var count: Int { large?.count ?? small.count }

    mutating func append(_ piece: UnsafeRawBufferPointer) throws(HTTPFault) {
        guard count + piece.count <= limit else { throw .bodyTooLarge }
        if large == nil, small.count + piece.count <= Self.uncounted {
            unsafe small.append(contentsOf: piece)
            return
        }
        let memory = large ?? BodyMemory()
        if large == nil {
            try reserve(memory, small.count)
            unsafe small.withUnsafeBytes { unsafe memory.append($0) }
            large = memory
            small = []
        }
        try reserve(memory, piece.count)
        unsafe memory.append(piece)
    }

    /// Makes room for `bytes` more, within the budget.
    private mutating func reserve(_ memory: BodyMemory, _ bytes: Int) throws(HTTPFault) {
        let needed = memory.room(for: bytes)
        guard needed > 0 else { return }
        guard let charge = ByteCharge(needed, of: budget) else { throw .noMemoryForBody }
        charges.append(charge)
        guard memory.grow(by: needed) else { throw .noMemoryForBody }
    }

    /// The whole body and its share of the budget.
    consuming func finish() -> (bytes: [UInt8], charges: [ByteCharge]) {
        (large?.bytes ?? small, charges)
    }
}

/// A large body in its own pages. A growing array would copy the body repeatedly and leave freed memory to the
/// allocator: 30 unfinished bodies of 50 MB used three times the counted memory.
///
/// `@safe`: the pages belong to the object; `count` never exceeds `capacity`.
@safe private final class BodyMemory {
    private var memory: UnsafeMutableRawPointer?
    private var capacity = 0
    private(set) var count = 0

    private static let step = 1 << 20

    deinit {
        unsafe cweb_release(memory, capacity)
    }

    /// The number of bytes by which the memory must grow for `bytes` more; 0 if they fit.
    func room(for bytes: Int) -> Int {
        let missing = count + bytes - capacity
        return missing <= 0 ? 0 : (missing + Self.step - 1) / Self.step * Self.step
    }

    func grow(by bytes: Int) -> Bool {
        guard let grown = unsafe cweb_grow(memory, capacity, capacity + bytes) else { return false }
        unsafe memory = grown
        capacity += bytes
        return true
    }

    func append(_ piece: UnsafeRawBufferPointer) {
        guard let memory = unsafe memory, count + piece.count <= capacity else { return }
        unsafe UnsafeMutableRawBufferPointer(start: memory + count, count: piece.count).copyMemory(from: piece)
        count += piece.count
    }

    var bytes: [UInt8] {
        unsafe Array(UnsafeRawBufferPointer(start: memory, count: count))
    }
}
