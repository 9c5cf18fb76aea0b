/// TLS settings of a server.
public struct TLSServerConfiguration: Equatable, Sendable {
    /// How clients authenticate, with the meanings of Go's `tls.ClientAuthType`.
    public enum ClientAuthentication: Sendable {
        case none
        /// A certificate is requested and not verified.
        case request
        /// A certificate is required and not verified.
        case requireAny
        /// A certificate is verified if one is sent.
        case verifyIfGiven
        case requireAndVerify
    }

    /// Versions of the protocol.
    public enum Version: Int32, Comparable, Sendable {
        case tls10 = 0x0301
        case tls11 = 0x0302
        case tls12 = 0x0303
        case tls13 = 0x0304

        /// Older versions are less than newer ones.
        public static func < (left: Version, right: Version) -> Bool { left.rawValue < right.rawValue }
    }

    /// The server's certificate and its chain, PEM.
    public var certificateChain: String
    /// The key of the certificate, PEM, without passphrase.
    public var privateKey: String
    /// How clients authenticate.
    public var clientAuthentication = ClientAuthentication.none
    /// The authorities that sign client certificates, PEM; empty for none.
    public var clientAuthorities = ""
    /// Alternative names of which a client certificate must have one; empty to allow any.
    public var allowedClientNames: [String] = []
    /// The oldest supported version.
    public var minimumVersion = Version.tls12
    /// The newest supported version.
    public var maximumVersion = Version.tls13
    /// Cipher suites up to TLS 1.2 in OpenSSL's notation; empty for OpenSSL's default.
    public var cipherSuites: [String] = []
    /// Key exchange groups in OpenSSL's notation, in order of preference; empty for OpenSSL's default.
    public var groups: [String] = []
    /// Whether the server's order of cipher suites is used.
    public var prefersServerCipherSuites = true
    /// Protocols offered by ALPN, in order of preference; empty for none.
    public var applicationProtocols: [String] = []

    /// A server with this certificate and key.
    public init(certificateChain: String, privateKey: String) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
    }
}

/// The certificate of a client.
public struct TLSClientCertificate: Equatable, Sendable {
    /// The subject in RFC 2253's notation: `CN=node-1,O=Example`.
    public var subject: String
    /// Alternative names: host names, addresses, mail addresses and URIs.
    public var alternativeNames: [String]
    /// SHA-256 of the certificate, hexadecimal.
    public var fingerprint: String
    /// Whether a configured authority has signed it.
    public var isVerified: Bool
}
