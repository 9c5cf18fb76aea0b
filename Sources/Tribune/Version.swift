/// The version of this build.
enum Version {
    static let number = "0.1.0"
    /// The Prometheus version whose behaviour and API this build follows; what clients look at to choose features.
    static let prometheus = "3.14.0"
}
