internal import Runtime
public import TLS
internal import YAML

/// The file of `--web.config.file`, with the fields of Prometheus's exporter toolkit.
public struct WebConfiguration: Equatable, Sendable {
    /// The rate limit for all requests together.
    public struct RateLimit: Equatable, Sendable {
        /// Average time between two requests.
        public var intervalNanoseconds: Int64
        /// Maximum number of requests at once.
        public var burst: Int
    }

    /// TLS settings, with the text of certificates and keys; `nil` for plain HTTP.
    public var tls: TLSServerConfiguration?
    /// Whether clients are offered HTTP/2 over TLS.
    public var allowsHTTP2 = true
    /// Headers added to responses.
    public var headers: [(name: String, value: String)] = []
    /// bcrypt hashes of passwords by user; empty for no authentication.
    public var users: [String: String] = [:]
    /// `nil` for no limit.
    public var rateLimit: RateLimit?
    /// The files that were read, the configuration first. A change of any of them changes the configuration.
    public var files: [String] = []

    /// Plain HTTP without authentication.
    public init() {}

    /// Whether both have the same content and were read from the same files.
    public static func == (left: WebConfiguration, right: WebConfiguration) -> Bool {
        left.tls == right.tls && left.allowsHTTP2 == right.allowsHTTP2 && left.users == right.users
            && left.rateLimit == right.rateLimit && left.files == right.files
            && left.headers.elementsEqual(right.headers) { $0 == $1 }
    }
}

/// Why a web configuration is invalid.
public struct WebConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file, the position if known, and the error. Never contains a secret.
    public var description: String
}

extension WebConfiguration {
    /// Reads the content of the file named `file`, without trying the certificates.
    package init(parsing bytes: [UInt8], file: String) throws(WebConfigurationError) {
        self = try WebConfigurationReader(path: file).read(bytes)
    }

    /// Reads the file at `path` and the certificates that it refers to, and checks that OpenSSL can use them.
    public static func load(_ path: String) throws(WebConfigurationError) -> WebConfiguration {
        var configuration = try WebConfigurationReader(path: path).read()
        configuration.files.insert(path, at: 0)
        if let tls = configuration.tls {
            do throws(TLSError) {
                _ = try TLSServerContext(tls)
            } catch {
                throw WebConfigurationError(description: "\(path): tls_server_config: \(error.message)")
            }
        }
        return configuration
    }
}
