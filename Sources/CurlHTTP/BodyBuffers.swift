internal import Runtime

/// Memory for the bodies that one thread receives: spare buffers, and a budget for what they grow to. Belongs to that
/// thread.
final class BodyBuffers {
    /// Buffers beyond these are let go.
    private enum Limit {
        static let spares = 4
        static let bytes = 2 << 20
    }

    let budget: ByteBudget
    /// Empty, the one that was used last at the end: what is in a cache is used again.
    private var spares: [[UInt8]] = []

    init(budget: ByteBudget) {
        self.budget = budget
    }

    /// An empty buffer, with room where there is a spare one.
    func take() -> [UInt8] { spares.popLast() ?? [] }

    /// Keeps a buffer for the next body.
    func putBack(_ buffer: consuming [UInt8]) {
        guard spares.count < Limit.spares, buffer.capacity <= Limit.bytes else { return }
        buffer.removeAll(keepingCapacity: true)
        spares.append(buffer)
    }
}
