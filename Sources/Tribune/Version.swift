/// The version of this build.
enum Version {
    static let number = "0.2.0"
    /// The release date, for manual pages.
    static let released = "2026-11-28"
    /// The Prometheus version whose behaviour and API this build follows. Clients use it to choose features.
    static let prometheus = "3.14.0"
}
