/// Why no notification is sent for a firing alert. The values are Alertmanager's.
public enum Suppression: String, Sendable, CaseIterable {
    /// It is silenced.
    case silence
    /// Another alert inhibits it.
    case inhibition
    /// Its route is in a mute time interval.
    case muteTimeInterval = "mute_time_interval"
    /// Its route is outside its active time intervals.
    case activeTimeInterval = "active_time_interval"
}
