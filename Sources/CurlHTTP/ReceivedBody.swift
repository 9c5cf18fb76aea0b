internal import Runtime

/// The body of an answer as it arrives: within the request's limit, and within the memory that all bodies share.
/// Belongs to the thread that receives it.
struct ReceivedBody {
    /// Where the memory comes from.
    private let buffers: BodyBuffers
    private(set) var bytes: [UInt8] = []
    /// How much of the budget is taken.
    private var budgeted = 0
    private var limit = 0
    private var expected = 0

    init(_ buffers: BodyBuffers) {
        self.buffers = buffers
    }

    /// Begins with an empty body of at most `limit` bytes, which is likely to have `expected`.
    mutating func begin(limit: Int, expected: Int) {
        (self.limit, self.expected) = (limit, expected)
    }

    /// Releases what has arrived, because it is no longer wanted.
    mutating func abandon() {
        buffers.budget.give(budgeted)
        budgeted = 0
        bytes = []
    }

    /// Hands over the body, with what it takes of the budget.
    mutating func take() -> (bytes: [UInt8], budgeted: Int) {
        defer { (bytes, budgeted) = ([], 0) }
        return (bytes, budgeted)
    }

    /// Adds what is elsewhere.
    mutating func append(_ piece: UnsafeRawBufferPointer) throws(HTTPFailure) {
        try checkLimit(adding: piece.count)
        try makeRoom(for: piece.count)
        unsafe bytes.append(contentsOf: piece)
    }

    /// Lets `receive` write to the free memory behind what is there, `count` bytes or more, and say how many of those
    /// are body.
    ///
    /// More may be written than is body; the limit is for the body.
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

    /// Doubles the room rather than adding to it, so that a long body is not copied again and again.
    private mutating func makeRoom(for count: Int) throws(HTTPFailure) {
        // A buffer is kept no longer than there is something in it.
        if bytes.capacity == 0 { bytes = buffers.take() }
        let needed = bytes.count + count + HTTPMultiplexer.padding
        guard needed > bytes.capacity else { return }
        let room = max(needed, min(max(2 * bytes.capacity, expected), limit) + HTTPMultiplexer.padding)
        guard buffers.budget.take(room - budgeted) else { throw .budgetExceeded(buffers.budget) }
        budgeted = room
        bytes.reserveCapacity(room)
    }
}
