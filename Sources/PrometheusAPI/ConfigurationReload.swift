/// What became of a request to read the configuration again.
public enum ConfigurationReload: Equatable, Sendable {
    /// Nothing has changed, for this reason.
    case failed(String)
    /// The configuration is in force, apart from `waits`, each with its reason.
    case done(waits: [String])
}
