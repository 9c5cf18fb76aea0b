public import TLS

/// The sender of a request, as known from the connection.
public struct HTTPPeer: Sendable {
    /// The process at the other end of a Unix socket, as the system reports it.
    public struct Credentials: Equatable, Sendable {
        /// The process id.
        public var process: Int32
        /// The user id.
        public var user: UInt32
        /// The group id.
        public var group: UInt32

        /// A process made up by a test.
        public init(process: Int32, user: UInt32, group: UInt32) {
            self.process = process
            self.user = user
            self.group = group
        }
    }

    /// The numeric address without port; empty for a Unix socket.
    public var address: String
    /// Only for a Unix socket.
    public var credentials: Credentials?
    /// The path of the Unix socket when it was made; empty for another kind.
    public var socketPath = ""
    /// Whether the connection is encrypted.
    public var isEncrypted = false
    /// The client's certificate, verified or not.
    public var certificate: TLSClientCertificate?

    /// A peer for a test.
    public init(address: String, credentials: Credentials? = nil, socketPath: String = "") {
        self.address = address
        self.credentials = credentials
        self.socketPath = socketPath
    }
}
