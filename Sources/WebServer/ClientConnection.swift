/// The connection of a running request, with which the handler can check whether the client still waits. May be used
/// from any thread.
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
