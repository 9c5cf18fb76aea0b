package import Rollback

/// Something that divides the traffic of a service: a proxy, a program, a web service.
///
/// Calls block, for at most the route's timeout each, and come from one thread at a time. Every call is idempotent.
package protocol TrafficRouter: Sendable {
    /// What it is, for people.
    var description: String { get }
    /// Reads the live weights and the health of both versions.
    func read() throws(RouterError) -> Inspection
    /// Divides the traffic; requests under way are not harmed. Returns when the router has acknowledged.
    func shift(to split: TrafficSplit, for operation: RouterOperation) throws(RouterError)
    /// Keeps new requests away from the candidate beyond its weight.
    func isolate(for operation: RouterOperation) throws(RouterError)
}

/// Why a router did not do what it was asked.
package struct RouterError: Error, Equatable, CustomStringConvertible {
    /// What went wrong, with the words of the router where it had any.
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}
