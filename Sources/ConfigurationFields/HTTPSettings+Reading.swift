public import CurlHTTP
internal import Runtime
public import YAML

extension HTTPSettings {
    /// Reads the fields of an HTTP client from `fields`. Other fields are left to the caller.
    ///
    /// - Parameter directory: the base of relative paths.
    public init(_ fields: inout FieldReader, directory: String) throws(YAMLError) {
        self.init()
        followsRedirects = try fields.optionalFlag("follow_redirects") ?? true
        allowsHTTP2 = try fields.optionalFlag("enable_http2") ?? true
        proxy = try Self.proxy(&fields, directory)
        if let node = fields.optional("tls_config") {
            tls = try TLSOptions(node, path: fields.path(of: "tls_config"), file: fields.file, directory: directory)
        }
        try readAuthentication(&fields, directory)
        headers = try Self.headers(&fields, "http_headers", directory)
    }

    /// Reads the section `name`, such as `http_config`, from `fields`; `nil` if it is missing.
    public static func section(
        _ name: String, of fields: inout FieldReader, directory: String
    ) throws(YAMLError) -> HTTPSettings? {
        guard let node = fields.optional(name) else { return nil }
        var inner = try FieldReader(node, path: fields.path(of: name), file: fields.file)
        let settings = try HTTPSettings(&inner, directory: directory)
        try inner.finish()
        return settings
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
        if let node = fields.optional("oauth2") {
            found.append(("oauth2", .oauth2(try Self.oauth2(node, of: fields, directory))))
        }
        guard found.count <= 1 else {
            throw fields.fault("at most one of \(found.map(\.0).joined(separator: ", ")) must be configured")
        }
        authentication = found.first?.1 ?? .none
    }

    private static func oauth2(
        _ node: YAMLNode, of fields: FieldReader, _ directory: String
    ) throws(YAMLError) -> OAuth2Settings {
        var section = try FieldReader(node, path: fields.path(of: "oauth2"), file: fields.file)
        guard let clientID = try section.optionalText("client_id"), !clientID.isEmpty else {
            throw section.fault("oauth2 client_id must be configured")
        }
        guard let secret = try secret(&section, "client_secret", directory) else {
            throw section.fault("either oauth2 client_secret or client_secret_file must be configured")
        }
        guard let tokenURL = try section.optionalText("token_url"), !tokenURL.isEmpty else {
            throw section.fault("oauth2 token_url must be configured")
        }
        var tls = TLSOptions()
        if let node = section.optional("tls_config") {
            tls = try TLSOptions(node, path: section.path(of: "tls_config"), file: fields.file, directory: directory)
        }
        let settings = OAuth2Settings(
            clientID: clientID, clientSecret: secret, tokenURL: tokenURL, scopes: try section.textList("scopes"),
            parameters: try section.textMapping("endpoint_params").map { .init(name: $0.name, value: $0.value) }
                .sorted { $0.name < $1.name },
            tls: tls, proxy: try proxy(&section, directory))
        try section.finish()
        return settings
    }

    private static func proxy(_ fields: inout FieldReader, _ directory: String) throws(YAMLError) -> ProxySettings {
        var proxy = ProxySettings()
        let url = try fields.optionalText("proxy_url")
        let usesEnvironment = try fields.optionalFlag("proxy_from_environment") ?? false
        let exceptions = try fields.optionalText("no_proxy")
        proxy.connectHeaders = try headers(&fields, "proxy_connect_header", directory)
        if usesEnvironment, url != nil {
            throw fields.fault("if proxy_from_environment is configured, proxy_url must not be configured")
        }
        if usesEnvironment, exceptions != nil {
            throw fields.fault("if proxy_from_environment is configured, no_proxy must not be configured")
        }
        if exceptions != nil, url == nil {
            throw fields.fault("if no_proxy is configured, proxy_url must also be configured")
        }
        if !proxy.connectHeaders.isEmpty, url == nil, !usesEnvironment {
            throw fields.fault(
                "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured")
        }
        if let url, !isURLReference(url) {
            throw fields.fault("\"\(url)\" is not a URL", at: fields.node["proxy_url"], field: "proxy_url")
        }
        proxy.source = usesEnvironment ? .environment : url.map { .url($0) } ?? .none
        proxy.exceptions = exceptions ?? ""
        return proxy
    }

    /// Whether Go's parser would read `url`: a colon in front of the first slash ends a scheme, and one begins with a
    /// letter.
    private static func isURLReference(_ url: String) -> Bool {
        let first = url.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
        guard let colon = first.firstIndex(of: ":") else { return true }
        return first[..<colon].first?.isLetter == true
    }

    /// Header fields: a list of values, or a mapping of `values`, `secrets` and `files`, for each name.
    private static func headers(
        _ fields: inout FieldReader, _ name: String, _ directory: String
    ) throws(YAMLError) -> [Header] {
        guard let node = fields.optional(name) else { return [] }
        let path = fields.path(of: name)
        var headers: [Header] = []
        for member in try FieldReader(node, path: path, file: fields.file).node.members ?? [] {
            let name = member.key.text ?? ""
            if let elements = member.value.elements {
                headers.append(Header(name: name, values: elements.compactMap(\.text).map { .text($0) }))
                continue
            }
            var header = try FieldReader(member.value, path: "\(path).\(name)", file: fields.file)
            let texts = try header.textList("values") + header.textList("secrets")
            let files = try header.textList("files")
            try header.finish()
            headers.append(
                Header(
                    name: name,
                    values: texts.map { .text($0) } + files.map { .file(Paths.resolve($0, from: directory)) }))
        }
        return headers
    }

    /// `name`, or the file in `name_file`.
    public static func secret(
        _ fields: inout FieldReader, _ name: String, _ directory: String
    ) throws(YAMLError) -> Secret? {
        let text = try fields.optionalText(name)
        let file = try fields.optionalText(name + "_file")
        if text != nil && file != nil {
            throw fields.fault("at most one of \(name) and \(name)_file must be configured")
        }
        return text.map { .text($0) } ?? file.map { .file(Paths.resolve($0, from: directory)) }
    }
}

extension TLSOptions {
    /// Reads a `tls_config`.
    public init(_ node: YAMLNode, path: String, file: String, directory: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        self.init()
        func source(_ name: String, _ fields: inout FieldReader) throws(YAMLError) -> TLSOptions.Source? {
            switch try HTTPSettings.secret(&fields, name, directory) {
            case .text(let text): .text(text)
            case .file(let path): .file(path)
            case nil: nil
            }
        }
        authorities = try source("ca", &fields)
        certificate = try source("cert", &fields)
        key = try source("key", &fields)
        serverName = try fields.optionalText("server_name")
        insecureSkipVerify = try fields.optionalFlag("insecure_skip_verify") ?? false
        for name in ["min_version", "max_version"] {
            guard let text = try fields.optionalText(name) else { continue }
            guard let version = TLSOptions.Version(rawValue: text) else {
                throw fields.fault("unknown TLS version: \(text)", at: node[name], field: name)
            }
            if name == "min_version" { minimumVersion = version } else { maximumVersion = version }
        }
        try fields.finish()
        if (certificate == nil) != (key == nil) {
            throw fields.fault(
                "exactly one of key or key_file must be configured when a client certificate is configured")
        }
    }
}
