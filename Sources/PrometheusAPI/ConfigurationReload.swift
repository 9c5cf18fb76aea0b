/// The result of a configuration reload.
public enum ConfigurationReload: Equatable, Sendable {
    /// Nothing has changed, for this reason.
    case failed(String)
    /// Nothing has changed: another identity has to ask for it too, for this reason.
    case needsApproval(String)
    /// The configuration is in force, apart from `waits`, each with its reason.
    case done(waits: [String])
}
