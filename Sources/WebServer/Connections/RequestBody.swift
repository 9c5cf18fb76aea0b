internal import Runtime

/// Bytes of a total that one request or response holds; given back when the last reference goes.
final class ByteCharge: Sendable {
    private let budget: ByteBudget
    private let bytes: Int

    /// `nil` where the budget does not have so many left.
    init?(_ bytes: Int, of budget: ByteBudget) {
        guard budget.take(bytes) else { return nil }
        self.budget = budget
        self.bytes = bytes
    }

    deinit {
        budget.give(bytes)
    }
}

/// The body of a request that is arriving. Its memory is counted in the server's budget as it grows.
struct RequestBody {
    private(set) var bytes: [UInt8] = []
    private(set) var charges: [ByteCharge] = []
    private let limit: Int
    private let budget: ByteBudget
    /// The length that the client announced, or the limit.
    private var expected: Int

    /// A body up to this size is not counted, so that small requests are served whatever the large ones take.
    static let uncounted = 16 << 10

    init(limit: Int, budget: ByteBudget) {
        self.limit = limit
        self.budget = budget
        expected = limit
    }

    /// The client has announced the length.
    mutating func announced(_ length: Int) throws(HTTPFault) {
        guard length <= limit else { throw .bodyTooLarge }
        expected = length
    }

    mutating func append(_ piece: UnsafeRawBufferPointer) throws(HTTPFault) {
        let needed = bytes.count + piece.count
        guard needed <= limit else { throw .bodyTooLarge }
        if needed > bytes.capacity {
            // Doubles, but never beyond what may come.
            let capacity = max(needed, min(2 * bytes.capacity, max(expected, needed)))
            if capacity > Self.uncounted {
                guard let charge = ByteCharge(capacity - bytes.capacity, of: budget) else { throw .noMemoryForBody }
                charges.append(charge)
            }
            bytes.reserveCapacity(capacity)
        }
        unsafe bytes.append(contentsOf: piece)
    }
}
