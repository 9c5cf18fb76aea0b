public import TLS

/// Who sent a request, as far as the connection tells.
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
    /// Present for a Unix socket.
    public var credentials: Credentials?
    /// Whether the connection is encrypted.
    public var isEncrypted = false
    /// The certificate that the client has shown, whether or not it was verified.
    public var certificate: TLSClientCertificate?

    /// A peer made up by a test.
    public init(address: String, credentials: Credentials? = nil) {
        self.address = address
        self.credentials = credentials
    }
}
