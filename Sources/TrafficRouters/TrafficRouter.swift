package import Rollback

/// A proxy, program or web service that splits the traffic of a service.
///
/// Calls block for at most the route's timeout each, and come from one thread at a time. Every call is idempotent.
package protocol TrafficRouter: Sendable {
    /// Reads the live weights and the health of both versions.
    func read() throws(RouterError) -> Inspection
    /// Splits the traffic without harming requests in progress. Returns when the router has acknowledged it.
    func shift(to split: TrafficSplit, for operation: RouterOperation) throws(RouterError)
    /// Prevents new requests to the candidate, in addition to its weight.
    func isolate(for operation: RouterOperation) throws(RouterError)
}

/// Why an operation of a router failed.
package struct RouterError: Error, Equatable, CustomStringConvertible {
    /// The error, with the router's message if there is one.
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}
