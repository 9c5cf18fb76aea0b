internal import Runtime

/// Memory for the bodies that one thread receives: spare buffers, and a budget for their total size. Belongs to that
/// thread.
final class BodyBuffers {
    /// Buffers over these limits are freed.
    private enum Limit {
        static let spares = 4
        static let bytes = 2 << 20
    }

    let budget: ByteBudget
    /// Empty buffers, the last used at the end, so that memory in the cache is reused.
    private var spares: [[UInt8]] = []

    init(budget: ByteBudget) {
        self.budget = budget
    }

    /// An empty buffer, with capacity if there is a spare one.
    func take() -> [UInt8] { spares.popLast() ?? [] }

    /// Keeps a buffer for the next body.
    func putBack(_ buffer: consuming [UInt8]) {
        guard spares.count < Limit.spares, buffer.capacity <= Limit.bytes else { return }
        buffer.removeAll(keepingCapacity: true)
        spares.append(buffer)
    }
}
