/// The connection of a request that a handler works on, so that the handler can see whether anybody waits. Any thread
/// may ask.
final class ClientConnection: Sendable {
    private let server: ServerCore
    private let connection: Connection
    private let abandonment: Abandonment?

    init(server: ServerCore, connection: Connection, abandonment: Abandonment?) {
        self.abandonment = abandonment
        self.server = server
        self.connection = connection
    }

    /// Whether the peer has closed its side or the server is stopping.
    var isGone: Bool { server.isStopping || abandonment?.isSet ?? server.table.isPeerGone(connection) }
}
