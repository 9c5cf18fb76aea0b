internal import Runtime
public import TLS
internal import YAML

/// A file of `--web.config.file`, with the fields and meanings of Prometheus's exporter toolkit.
public struct WebConfiguration: Equatable, Sendable {
    /// How often requests are allowed, whoever sends them.
    public struct RateLimit: Equatable, Sendable {
        /// Between two requests, on average.
        public var intervalNanoseconds: Int64
        /// Requests at once.
        public var burst: Int
    }

    /// How TLS is spoken, with the text of certificates and keys; `nil` for plain HTTP.
    public var tls: TLSServerConfiguration?
    /// Whether clients are offered HTTP/2 over TLS.
    public var allowsHTTP2 = true
    /// Headers added to responses.
    public var headers: [(name: String, value: String)] = []
    /// bcrypt hashes of passwords by user; empty for no authentication.
    public var users: [String: String] = [:]
    /// `nil` for no limit.
    public var rateLimit: RateLimit?
    /// The files that were read, the configuration first: a change of any of them is a change of the configuration.
    public var files: [String] = []

    /// Plain HTTP for everybody.
    public init() {}

    /// Whether both say the same and were read from the same files.
    public static func == (left: WebConfiguration, right: WebConfiguration) -> Bool {
        left.tls == right.tls && left.allowsHTTP2 == right.allowsHTTP2 && left.users == right.users
            && left.rateLimit == right.rateLimit && left.files == right.files
            && left.headers.elementsEqual(right.headers) { $0 == $1 }
    }
}

/// Why a web configuration is refused.
public struct WebConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file, the place in it where there is one, and what is wrong. Never holds a secret.
    public var description: String
}

extension WebConfiguration {
    /// Reads the file at `path` and the certificates that it names, and checks that OpenSSL can use them.
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
