/// Why a router for tests could not be started.
public struct FixtureFailure: Error, CustomStringConvertible {
    /// The error, with the router's log if there is one.
    public var description: String

    /// A failure.
    public init(_ description: String) {
        self.description = description
    }
}
