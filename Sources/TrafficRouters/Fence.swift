package import Rollback

/// Prevents a process that has lost its lease from writing to routers.
///
/// A process can be suspended between any two instructions and resume after another one has taken over. So routers
/// check the lease again just before each write. If a router can store a number, they also store the epoch of the write
/// and refuse to overwrite a higher one. HAProxy cannot store one.
package struct Fence: Sendable {
    /// Whether several processes share a lease. A process that runs alone stores no epochs: they would block a later
    /// process whose journal was lost.
    package let isShared: Bool
    private let permits: @Sendable (RouterOperation) -> Bool

    /// For a process that runs alone: everything is permitted.
    package static let none = Fence(isShared: false) { _ in true }

    /// A fence that calls `permits` before every write.
    package init(isShared: Bool, permits: @escaping @Sendable (RouterOperation) -> Bool) {
        self.isShared = isShared
        self.permits = permits
    }

    /// Call it just before a write. Throws if `operation` is no longer permitted.
    func check(_ operation: RouterOperation) throws(RouterError) {
        guard permits(operation) else { throw RouterError("the lease no longer permits it") }
    }

    /// Throws if the router's state was written under a higher epoch than that of `operation`.
    ///
    /// - Parameters:
    ///   - epoch: the stored epoch; `nil` if there is none.
    ///   - place: where it is stored, for the error.
    func check(_ operation: RouterOperation, against epoch: UInt64?, in place: String) throws(RouterError) {
        guard isShared, let epoch, epoch > operation.epoch else { return }
        throw RouterError(
            "\(place) was written under epoch \(epoch), this process has \(operation.epoch): another one has taken over"
        )
    }
}
