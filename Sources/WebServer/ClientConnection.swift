/// The connection of a request that a handler works on, so that the handler can see whether anybody waits. Any thread may ask.
final class ClientConnection: Sendable {
    private let server: ServerCore
    private let connection: Connection

    init(server: ServerCore, connection: Connection) {
        self.server = server
        self.connection = connection
    }

    /// Whether the peer has closed its side or the server is stopping.
    var isGone: Bool { server.isStopping || server.table.isPeerGone(connection) }
}
