/// The version of this build.
enum Version {
    static let number = "0.2.0"
    /// The day of its release, as manual pages show it.
    static let released = "2026-11-28"
    /// The Prometheus version whose behaviour and API this build follows; what clients look at to choose features.
    static let prometheus = "3.14.0"
}
