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
    }

    /// The numeric address without port; empty for a Unix socket.
    public var address: String
    /// Only for a Unix socket.
    public var credentials: Credentials?
    /// Whether the connection is encrypted.
    public var isEncrypted = false
    /// The client's certificate, verified or not.
    public var certificate: TLSClientCertificate?

    /// A peer for a test.
    public init(address: String, credentials: Credentials? = nil) {
        self.address = address
        self.credentials = credentials
    }
}
