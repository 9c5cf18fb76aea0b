package import Rollback

/// Keeps a process that has lost its lease from writing to routers.
///
/// A process can be stopped between any two instructions and wake after another one has taken over. So routers ask
/// again right before each write, and where a router can keep a number, they leave the epoch under which it was written
/// there, and refuse to write over a higher one. HAProxy can keep none.
package struct Fence: Sendable {
    /// Whether several processes share a lease. One that runs alone leaves no epochs behind: they would be in the way
    /// of a later one whose journal was lost.
    package let isShared: Bool
    private let permits: @Sendable (RouterOperation) -> Bool

    /// Of a process that runs alone: everything is permitted.
    package static let none = Fence(isShared: false) { _ in true }

    /// A fence that asks `permits` before every write.
    package init(isShared: Bool, permits: @escaping @Sendable (RouterOperation) -> Bool) {
        self.isShared = isShared
        self.permits = permits
    }

    /// To be called right before a write: throws when `operation` is not permitted any more.
    func check(_ operation: RouterOperation) throws(RouterError) {
        guard permits(operation) else { throw RouterError("the lease does not permit it any more") }
    }

    /// Throws when what stands in the router was written under a higher epoch than that of `operation`.
    ///
    /// - Parameters:
    ///   - epoch: what stands there; `nil` where nothing does.
    ///   - place: where it stands, for people.
    func check(_ operation: RouterOperation, against epoch: UInt64?, in place: String) throws(RouterError) {
        guard isShared, let epoch, epoch > operation.epoch else { return }
        throw RouterError(
            "\(place) was written under epoch \(epoch), this process has \(operation.epoch): another one has taken over"
        )
    }
}
