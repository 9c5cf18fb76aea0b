public import CurlHTTP
public import MetricModel

/// An Alertmanager that gets every alert.
public struct AlertmanagerServer: Sendable {
    /// The complete URL for POST requests, ending in `/api/v2/alerts`.
    public var url: String
    /// Timeout for sending.
    public var timeout: Milliseconds
    /// The labels of an alert for this server; `nil` for alerts that it must not get.
    public var relabel: @Sendable (Labels) -> Labels?
    /// Adds credentials, certificates and proxy settings to a request.
    public var prepare: @Sendable (inout HTTPRequest) throws(HTTPFailure) -> Void

    /// The server at `url`.
    public init(
        url: String, timeout: Milliseconds = .seconds(10), relabel: @escaping @Sendable (Labels) -> Labels? = { $0 },
        prepare: @escaping @Sendable (inout HTTPRequest) throws(HTTPFailure) -> Void = { (_) throws(HTTPFailure) in }
    ) {
        self.url = url
        self.timeout = timeout
        self.relabel = relabel
        self.prepare = prepare
    }
}

/// The Alertmanagers, and the labels of alerts sent to them.
public struct AlertmanagerSettings: Sendable {
    /// Added to every alert. The alert's own labels take precedence.
    public var externalLabels: Labels
    /// The labels of an alert for all servers; `nil` for alerts that none must get.
    public var relabel: @Sendable (Labels) -> Labels?
    /// The servers. Each gets every alert.
    public var servers: [AlertmanagerServer]

    /// Settings for sending to `servers`.
    public init(
        externalLabels: Labels = .empty, relabel: @escaping @Sendable (Labels) -> Labels? = { $0 },
        servers: [AlertmanagerServer] = []
    ) {
        self.externalLabels = externalLabels
        self.relabel = relabel
        self.servers = servers
    }
}
