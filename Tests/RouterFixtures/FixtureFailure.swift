/// Why a router for tests could not be started.
public struct FixtureFailure: Error, CustomStringConvertible {
    /// What happened, with the router's log where there is one.
    public var description: String

    /// A failure.
    public init(_ description: String) {
        self.description = description
    }
}
