public import CurlHTTP
internal import Runtime

/// Client settings: `http_config` of Prometheus and Alertmanager. A value without connections.
///
/// Files with secrets are read for each request, so that secrets can be rotated.
public struct HTTPSettings: Equatable, Sendable {
    /// A secret, or the path of its file.
    public enum Secret: Hashable, Sendable, CustomStringConvertible {
        case text(String)
        case file(String)

        /// Never the secret.
        public var description: String { "<secret>" }

        /// The secret. Blanks around the content of a file are removed.
        public func read() throws(HTTPFailure) -> String {
            switch self {
            case .text(let text): return text
            case .file(let path):
                do throws(FileText.ReadError) {
                    let bytes = try FileText.bytes(path, limit: 1 << 20)
                    let isBlank = { (byte: UInt8) in byte <= 0x20 }
                    let trimmed = bytes.drop(while: isBlank).reversed().drop(while: isBlank).reversed()
                    return String(decoding: Array(trimmed), as: UTF8.self)
                } catch {
                    throw HTTPFailure(.badRequest, "cannot read a secret: \(error)")
                }
            }
        }
    }

    /// How the client authenticates.
    public enum Authentication: Equatable, Sendable {
        case none
        case basic(user: Secret, password: Secret)
        /// An `Authorization` header with the given scheme, usually `Bearer`.
        case credentials(scheme: String, Secret)
        case oauth2(OAuth2Settings)
    }

    /// How the client authenticates.
    public var authentication = Authentication.none
    /// Certificates and versions.
    public var tls = TLSOptions()
    /// Whether redirects are followed. Credentials are not sent to another host.
    public var followsRedirects = true
    /// Whether HTTP/2 may be used. It is negotiated only over TLS.
    public var allowsHTTP2 = true
    /// The proxy.
    public var proxy = ProxySettings()
    /// Additional header fields.
    public var headers: [Header] = []

    /// A header field with its values.
    public struct Header: Hashable, Sendable {
        /// The field's name.
        public var name: String
        /// The values, each sent as a separate field.
        public var values: [Secret]
    }

    /// No authentication, the system's certificates.
    public init() {}

    /// Applies the settings to `request`. Throws if a file with a secret cannot be read or no OAuth 2 token can be
    /// obtained.
    ///
    /// - Parameter waits: whether the caller may wait for the OAuth 2 token endpoint. If not, a request without a token
    ///   fails and the token is fetched on another thread.
    public func apply(to request: inout HTTPRequest, waits: Bool = true) throws(HTTPFailure) {
        request.tls = tls
        request.allowsHTTP2 = allowsHTTP2
        request.maximumRedirects = followsRedirects ? 10 : 0
        proxy.apply(to: &request)
        for header in proxy.connectHeaders {
            for value in header.values { request.proxyHeaders.append((header.name, try value.read())) }
        }
        switch authentication {
        case .none: break
        case .basic(let user, let password):
            request.authorize(user: try user.read(), password: try password.read())
        case .credentials(let scheme, let secret):
            request.authorize(scheme: scheme, credentials: try secret.read())
        case .oauth2(let settings):
            let tokens = OAuth2Tokens.shared
            request.authorize(
                credentials: waits ? try tokens.token(settings) : try tokens.tokenWithoutWaiting(settings))
        }
        for header in headers {
            for value in header.values { request.headers.append((header.name, try value.read())) }
            // Any of them may contain a credential.
            request.confidentialHeaders.insert(header.name.lowercased())
        }
    }

    /// Whether a prepared request stays valid: no secret is in a file and no token expires.
    public var isConstant: Bool {
        let secrets: [Secret]
        switch authentication {
        case .none: secrets = []
        case .basic(let user, let password): secrets = [user, password]
        case .credentials(_, let secret): secrets = [secret]
        case .oauth2: return false
        }
        return (secrets + (headers + proxy.connectHeaders).flatMap(\.values))
            .allSatisfy { if case .text = $0 { true } else { false } }
    }
}
