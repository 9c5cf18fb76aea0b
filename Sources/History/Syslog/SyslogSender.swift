internal import CurlHTTP
internal import MetricModel
internal import Runtime

/// The connection to a syslog server. Belongs to one thread.
final class SyslogSender {
    private enum Connection {
        case stream(StreamConnection)
        case datagrams(DatagramSocket)
    }

    private let destination: SyslogDestination
    private let connection: Connection

    /// Connects.
    init(_ destination: SyslogDestination) throws(HTTPFailure) {
        self.destination = destination
        let timeout = destination.timeout.rawValue
        switch destination.transport {
        case .udp(let host, let port): connection = .datagrams(try DatagramSocket(host: host, port: port))
        case .stream(let address):
            connection = .stream(try StreamConnection(address, timeoutMilliseconds: timeout))
        case .unix(let path):
            if let socket = try DatagramSocket(path: path) {
                connection = .datagrams(socket)
            } else {
                connection = .stream(try StreamConnection(.unix(path: path), timeoutMilliseconds: timeout))
            }
        }
    }

    /// Sends `messages`, in order. Over a stream, the peer's kernel has all of them when this returns.
    ///
    /// - Parameter sent: called with the index of each message that needs not be sent again, and whether it was
    ///   dropped because it is too long for a datagram. After an error, the other messages may have arrived too.
    func send(_ messages: [SyslogMessage], sent: (_ index: Int, _ isDropped: Bool) -> Void) throws(HTTPFailure) {
        switch connection {
        case .stream(let stream):
            var bytes: [UInt8] = []
            for message in messages { bytes += message.framed }
            try stream.send(bytes)
            for index in messages.indices { sent(index, false) }
        case .datagrams(let socket):
            for (index, message) in messages.enumerated() {
                let isSent = try socket.send(message.bytes, milliseconds: destination.timeout.rawValue)
                sent(index, !isSent)
            }
        }
    }

    /// Throws if the peer has closed a stream.
    func checkOpen() throws(HTTPFailure) {
        if case .stream(let stream) = connection { try stream.checkOpen() }
    }
}
