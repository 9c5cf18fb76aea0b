/// The version of this program, as `/api/v1/status/buildinfo` and `/version` show it. A value.
public struct BuildInformation: Sendable {
    /// The version of Prometheus whose API is served. Clients such as Grafana decide by it what they may ask for.
    public static let prometheusVersion = "3.14.0"
    /// The version of Alertmanager whose API is served at `/api/v2`.
    public static let alertmanagerVersion = "0.34.0"
    /// Tribune's own version.
    public var version = "0.0.0"
    /// The commit it was built from.
    public var revision = ""
    /// The branch it was built from.
    public var branch = ""
    /// When it was built.
    public var date = ""
    /// The compiler that built it.
    public var compiler = ""

    /// An unknown build.
    public init() {}
}
