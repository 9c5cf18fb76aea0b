/// What the flags say about the web side.
public struct ExporterSettings: Sendable {
    /// Under which URL users reach this server (`http://host:9090`); used in links.
    public var externalURL = "http://localhost:9090"
    /// Put before every path; empty or `/prefix`.
    public var routePrefix = ""
    /// Whether `/-/reload` and `/-/quit` work.
    public var enablesLifecycle = false
    /// Whether `/api/v1/write` takes samples.
    public var enablesRemoteWrite = false
    /// Whether written series begin with a zero at the time since when they count.
    public var zeroesStarts = false
    /// Which origins other than the server's own may read the API; `nil` for all.
    public var allowsOrigin: (@Sendable (String) -> Bool)?
    /// Who may pause, promote or roll back, silence alerts or hand some in. Without it, clients on this machine alone.
    public var commandToken: String?
    /// Queries evaluated at once; further ones wait.
    public var maximumConcurrentQueries = 20
    /// What this program is.
    public var build = BuildInformation()
    /// Flags and their values, as `/api/v1/status/flags` shows them.
    public var flags: [String: String] = [:]
    /// How long samples are kept, in words.
    public var retention = ""

    /// Settings with Prometheus's defaults.
    public init() {}
}

/// What this program is, as `/api/v1/status/buildinfo` and `/version` show it.
public struct BuildInformation: Sendable {
    /// The version of Prometheus whose API is served. Clients such as Grafana decide by it what they may ask for.
    public static let prometheusVersion = "3.14.0"
    /// The version of Alertmanager whose API is served at `/api/v2`.
    public static let alertmanagerVersion = "0.28.1"
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
