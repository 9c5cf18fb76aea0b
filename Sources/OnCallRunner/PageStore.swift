public import OnCall

/// The pages that the nodes of a lease share. Called from one thread, which it may block for a few seconds.
public protocol PageStore: Sendable {
    /// All stored pages with the highest epoch under which one of them was written; 0 for none.
    func pages() throws(PageStoreFault) -> (record: PageBook.Record, epoch: Int64)
    /// Stores and deletes pages under the epoch of this node's lease. Returns false and changes nothing if the lease is
    /// not this node's.
    func keep(_ record: PageBook.Record) throws(PageStoreFault) -> Bool
    /// The epoch of this node's lease; `nil` if it does not hold the lease.
    var epoch: Int64? { get }
}

/// Why the database did not respond.
public struct PageStoreFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// The reason, without secrets.
    public var description: String

    /// A fault.
    public init(_ description: String) { self.description = description }
}
