/// Why nobody is told of an alert that fires. The words are Alertmanager's.
public enum Suppression: String, Sendable, CaseIterable {
    /// Somebody silenced it.
    case silence
    /// Another alert keeps it quiet.
    case inhibition
    /// Its route is within a time in which it is muted.
    case muteTimeInterval = "mute_time_interval"
    /// Its route is outside of the times in which it is active.
    case activeTimeInterval = "active_time_interval"
}
