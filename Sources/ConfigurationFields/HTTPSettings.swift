public import CurlHTTP
internal import Runtime
public import YAML

/// How an HTTP server is talked to: what Prometheus's configuration says beside the URL. A value without connections.
///
/// Files with secrets are read for each request, so that they may be rotated.
public struct HTTPSettings: Equatable, Sendable {
    /// A secret, or the file that holds it.
    public enum Secret: Equatable, Sendable {
        case text(String)
        case file(String)
    }

    /// How we show who we are.
    public enum Authentication: Equatable, Sendable {
        case none
        case basic(user: Secret, password: Secret)
        /// The scheme is `Bearer` where nothing else is said.
        case credentials(scheme: String, Secret)
    }

    /// How we show who we are.
    public var authentication = Authentication.none
    /// Certificates and versions.
    public var tls = TLSOptions()
    /// Whether redirects are followed.
    public var followsRedirects = true
    /// The URL of the proxy.
    public var proxyURL: String?
    /// Header fields beside the usual ones.
    public var headers: [Header] = []

    /// A header field with its values.
    public struct Header: Equatable, Sendable {
        /// The field's name.
        public var name: String
        /// The values, each sent as a field of its own.
        public var values: [Secret]
    }

    /// No authentication, the system's certificates.
    public init() {}

    /// Puts the settings into `request`. Fails when a file with a secret cannot be read.
    public func apply(to request: inout HTTPRequest) throws(HTTPFailure) {
        request.tls = tls
        request.proxy = proxyURL
        request.maximumRedirects = followsRedirects ? 10 : 0
        switch authentication {
        case .none: break
        case .basic(let user, let password):
            request.authorize(user: try Self.read(user), password: try Self.read(password))
        case .credentials(let scheme, let secret):
            request.authorize(scheme: scheme, credentials: try Self.read(secret))
        }
        for header in headers {
            for value in header.values { request.headers.append((header.name, try Self.read(value))) }
        }
    }

    /// Whether a request made once stays right: no secret is in a file, which may be rotated.
    public var isConstant: Bool {
        let secrets: [Secret] =
            switch authentication {
            case .none: []
            case .basic(let user, let password): [user, password]
            case .credentials(_, let secret): [secret]
            }
        return (secrets + headers.flatMap(\.values)).allSatisfy { if case .text = $0 { true } else { false } }
    }

    private static func read(_ secret: Secret) throws(HTTPFailure) -> String {
        switch secret {
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

extension HTTPSettings {
    /// Reads the fields of an HTTP client among others of `fields`.
    ///
    /// - Parameter directory: What relative paths are relative to.
    public init(_ fields: inout FieldReader, directory: String) throws(YAMLError) {
        self.init()
        let place = fields.node
        for name in ["oauth2", "sigv4", "azuread", "google_iam", "no_proxy", "proxy_connect_header"] {
            try fields.refuse(name, "Tribune has no such client option")
        }
        if try fields.optionalFlag("proxy_from_environment") == true {
            throw fields.fault(
                "proxy_from_environment is not supported: name the proxy in proxy_url",
                at: place["proxy_from_environment"], field: "proxy_from_environment")
        }
        // HTTP/1.1 is spoken either way.
        _ = try fields.optionalFlag("enable_http2")
        followsRedirects = try fields.optionalFlag("follow_redirects") ?? true
        proxyURL = try fields.optionalText("proxy_url")
        if let node = fields.optional("tls_config") {
            tls = try Self.tls(node, path: fields.path(of: "tls_config"), file: fields.file, directory: directory)
        }
        try readAuthentication(&fields, directory)
        try readHeaders(&fields, directory)
    }

    private mutating func readAuthentication(_ fields: inout FieldReader, _ directory: String) throws(YAMLError) {
        var found: [(String, Authentication)] = []
        if let node = fields.optional("basic_auth") {
            var basic = try FieldReader(node, path: fields.path(of: "basic_auth"), file: fields.file)
            let user = try Self.secret(&basic, "username", directory)
            let password = try Self.secret(&basic, "password", directory)
            try basic.finish()
            found.append(("basic_auth", .basic(user: user ?? .text(""), password: password ?? .text(""))))
        }
        if let node = fields.optional("authorization") {
            var section = try FieldReader(node, path: fields.path(of: "authorization"), file: fields.file)
            let scheme = try section.optionalText("type") ?? "Bearer"
            if scheme.lowercased() == "basic" {
                throw section.fault("authorization type cannot be set to \"basic\", use \"basic_auth\" instead")
            }
            let credentials = try Self.secret(&section, "credentials", directory)
            try section.finish()
            found.append(("authorization", .credentials(scheme: scheme, credentials ?? .text(""))))
        }
        if let token = try Self.secret(&fields, "bearer_token", directory) {
            found.append(("bearer_token", .credentials(scheme: "Bearer", token)))
        }
        guard found.count <= 1 else {
            throw fields.fault("at most one of \(found.map(\.0).joined(separator: ", ")) must be configured")
        }
        authentication = found.first?.1 ?? .none
    }

    private mutating func readHeaders(_ fields: inout FieldReader, _ directory: String) throws(YAMLError) {
        guard let node = fields.optional("http_headers") else { return }
        let path = fields.path(of: "http_headers")
        for member in try FieldReader(node, path: path, file: fields.file).node.members ?? [] {
            let name = member.key.text ?? ""
            var header = try FieldReader(member.value, path: "\(path).\(name)", file: fields.file)
            let texts = try header.textList("values") + header.textList("secrets")
            let files = try header.textList("files")
            try header.finish()
            headers.append(
                Header(
                    name: name,
                    values: texts.map { .text($0) } + files.map { .file(Paths.resolve($0, from: directory)) }))
        }
    }

    /// `name`, or `name_file`.
    private static func secret(
        _ fields: inout FieldReader, _ name: String, _ directory: String
    ) throws(YAMLError) -> Secret? {
        let text = try fields.optionalText(name)
        let file = try fields.optionalText(name + "_file")
        if text != nil && file != nil {
            throw fields.fault("at most one of \(name) and \(name)_file must be configured")
        }
        return text.map { .text($0) } ?? file.map { .file(Paths.resolve($0, from: directory)) }
    }

    private static func tls(
        _ node: YAMLNode, path: String, file: String, directory: String
    ) throws(YAMLError) -> TLSOptions {
        var fields = try FieldReader(node, path: path, file: file)
        var options = TLSOptions()
        func source(_ name: String, _ fields: inout FieldReader) throws(YAMLError) -> TLSOptions.Source? {
            switch try secret(&fields, name, directory) {
            case .text(let text): .text(text)
            case .file(let path): .file(path)
            case nil: nil
            }
        }
        options.authorities = try source("ca", &fields)
        options.certificate = try source("cert", &fields)
        options.key = try source("key", &fields)
        options.serverName = try fields.optionalText("server_name")
        options.insecureSkipVerify = try fields.optionalFlag("insecure_skip_verify") ?? false
        for name in ["min_version", "max_version"] {
            guard let text = try fields.optionalText(name) else { continue }
            guard let version = TLSOptions.Version(rawValue: text) else {
                throw fields.fault("unknown TLS version: \(text)", at: node[name], field: name)
            }
            if name == "min_version" { options.minimumVersion = version } else { options.maximumVersion = version }
        }
        try fields.finish()
        if (options.certificate == nil) != (options.key == nil) {
            throw fields.fault(
                "exactly one of key or key_file must be configured when a client certificate is configured")
        }
        return options
    }
}
