public import CurlHTTP
public import MetricModel

/// One Alertmanager that every alert is sent to.
public struct AlertmanagerServer: Sendable {
    /// The whole URL that is posted to, ending in `/api/v2/alerts`.
    public var url: String
    /// How long sending may take.
    public var timeout: Milliseconds
    /// The labels of an alert as this server is to see them; `nil` for alerts it is not to see.
    public var relabel: @Sendable (Labels) -> Labels?
    /// Puts what the connection needs (credentials, certificates, a proxy) into a request.
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

/// Which Alertmanagers there are, and what alerts look like to them.
public struct AlertmanagerSettings: Sendable {
    /// Added to every alert; its own labels win.
    public var externalLabels: Labels
    /// The labels of an alert as all servers are to see them; `nil` for alerts that none is to see.
    public var relabel: @Sendable (Labels) -> Labels?
    /// Each gets every alert.
    public var servers: [AlertmanagerServer]

    /// Sends to `servers`.
    public init(
        externalLabels: Labels = .empty, relabel: @escaping @Sendable (Labels) -> Labels? = { $0 },
        servers: [AlertmanagerServer] = []
    ) {
        self.externalLabels = externalLabels
        self.relabel = relabel
        self.servers = servers
    }
}
