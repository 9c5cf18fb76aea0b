internal import Runtime

/// The body of a response while it is received, within the request's limit and the shared memory budget. Belongs to the
/// thread that receives it.
struct ReceivedBody {
    /// The source of the memory.
    private let buffers: BodyBuffers
    private(set) var bytes: [UInt8] = []
    /// The bytes taken from the budget.
    private var budgeted = 0
    private var limit = 0
    private var expected = 0

    init(_ buffers: BodyBuffers) {
        self.buffers = buffers
    }

    /// Starts with an empty body of at most `limit` bytes, with an expected size of `expected`.
    mutating func begin(limit: Int, expected: Int) {
        (self.limit, self.expected) = (limit, expected)
    }

    /// Releases what has arrived, because it is no longer wanted.
    mutating func abandon() {
        buffers.budget.give(budgeted)
        budgeted = 0
        bytes = []
    }

    /// Returns the body and the bytes that it takes from the budget.
    mutating func take() -> (bytes: [UInt8], budgeted: Int) {
        defer { (bytes, budgeted) = ([], 0) }
        return (bytes, budgeted)
    }

    /// Appends a copy of `piece`.
    mutating func append(_ piece: UnsafeRawBufferPointer) throws(HTTPFailure) {
        try checkLimit(adding: piece.count)
        try makeRoom(for: piece.count)
        unsafe bytes.append(contentsOf: piece)
    }

    /// Lets `receive` write to the free memory after the body, `count` bytes or more, and return how many of them are
    /// body.
    ///
    /// More may be written than is body. The limit applies to the body.
    mutating func append(
        room count: Int, _ receive: (UnsafeMutableRawBufferPointer) -> Int
    ) throws(HTTPFailure) {
        try makeRoom(for: count)
        bytes.append(addingCapacity: bytes.capacity - HTTPMultiplexer.padding - bytes.count) { span in
            unsafe span.withUnsafeMutableBufferPointer { buffer, count in
                count = unsafe receive(UnsafeMutableRawBufferPointer(buffer))
            }
        }
        try checkLimit(adding: 0)
    }

    private func checkLimit(adding count: Int) throws(HTTPFailure) {
        guard count <= limit - bytes.count else {
            throw HTTPFailure(.bodyTooLarge, "the body exceeds the limit of \(limit) bytes")
        }
    }

    /// Doubles the capacity, so that a long body is not copied repeatedly.
    private mutating func makeRoom(for count: Int) throws(HTTPFailure) {
        // A buffer is held only while it has content.
        if bytes.capacity == 0 { bytes = buffers.take() }
        let needed = bytes.count + count + HTTPMultiplexer.padding
        guard needed > bytes.capacity else { return }
        let room = max(needed, min(max(2 * bytes.capacity, expected), limit) + HTTPMultiplexer.padding)
        guard buffers.budget.take(room - budgeted) else { throw .budgetExceeded(buffers.budget) }
        budgeted = room
        bytes.reserveCapacity(room)
    }
}
