internal import Passwords
internal import Runtime
internal import YAML

/// Reads one web configuration file.
struct WebConfigurationReader {
    let path: String

    /// - Parameter content: the content; `nil` reads the file.
    func read(_ content: [UInt8]? = nil) throws(WebConfigurationError) -> WebConfiguration {
        do throws(YAMLError) {
            if let content { return try parse(content) }
            return try parse(try bytes(path))
        } catch {
            throw WebConfigurationError(description: error.description)
        }
    }

    private func parse(_ bytes: [UInt8]) throws(YAMLError) -> WebConfiguration {
        var configuration = WebConfiguration()
        guard let document = try YAML.parse(bytes, file: path).first else { return configuration }
        var fields = try FieldReader(document, path: "", file: path)
        let tls = fields.optional("tls_server_config")
        let http = fields.optional("http_server_config")
        let users = try fields.textMapping("basic_auth_users")
        let limit = fields.optional("rate_limit")
        try fields.finish()
        if let http { try readHTTP(http, into: &configuration) }
        if let tls { try TLSFieldReader(path: path).read(tls, into: &configuration) }
        for (user, hash, _) in users {
            guard BcryptPasswords.isHash(hash) else {
                throw fields.fault("the password of \"\(user)\" is not a bcrypt hash", field: "basic_auth_users")
            }
            configuration.users[user] = hash
        }
        if let limit { configuration.rateLimit = try rateLimit(limit) }
        return configuration
    }

    private func bytes(_ path: String) throws(YAMLError) -> [UInt8] {
        do throws(FileText.ReadError) {
            return try FileText.bytes(path, limit: 4 << 20)
        } catch {
            throw YAMLError(file: path, line: 0, column: 0, field: "", message: error.description)
        }
    }

    // MARK: http_server_config

    /// The headers that may be set, with their allowed values if these are limited.
    private static let headers: [String: [String]] = [
        "Content-Security-Policy": [], "X-Frame-Options": ["deny", "sameorigin"],
        "X-Content-Type-Options": ["nosniff"], "X-XSS-Protection": [], "Strict-Transport-Security": [],
    ]

    private func readHTTP(_ node: YAMLNode, into configuration: inout WebConfiguration) throws(YAMLError) {
        var fields = try FieldReader(node, path: "http_server_config", file: path)
        configuration.allowsHTTP2 = try fields.optionalFlag("http2") ?? true
        let headers = try fields.textMapping("headers")
        try fields.finish()
        for (name, value, _) in headers {
            guard let allowed = Self.headers[name] else {
                throw fields.fault("HTTP header \"\(name)\" can not be configured", field: "headers")
            }
            guard allowed.isEmpty || allowed.contains(value) else {
                let list = allowed.map { "\"\($0)\"" }.joined(separator: " ")
                throw fields.fault(
                    "invalid value for \(name). Expected one of: [\(list)], but got: \"\(value)\"", field: "headers")
            }
            if !value.isEmpty { configuration.headers.append((name, value)) }
        }
    }

    // MARK: rate_limit

    private func rateLimit(_ node: YAMLNode) throws(YAMLError) -> WebConfiguration.RateLimit? {
        var fields = try FieldReader(node, path: "rate_limit", file: path)
        let interval = try fields.optionalText("interval") ?? "0"
        let burst = try fields.optionalInteger("burst") ?? 0
        try fields.finish()
        guard let nanoseconds = GoDuration.nanoseconds(interval), nanoseconds >= 0 else {
            throw fields.fault("not a duration: \"\(interval)\"", field: "interval")
        }
        guard nanoseconds > 0 else { return nil }
        guard burst >= 0 else { throw fields.fault("must not be negative", field: "burst") }
        return WebConfiguration.RateLimit(intervalNanoseconds: nanoseconds, burst: burst)
    }
}

/// Durations as in Go's `time.ParseDuration`. As in Go's YAML, a bare number is in nanoseconds.
enum GoDuration {
    private static let units: [(name: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
    ]

    static func nanoseconds(_ text: String) -> Int64? {
        if let number = Int64(text) { return number }
        var rest = text[...]
        var sum = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard let number = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { !($0.isASCII && ($0.isNumber || $0 == ".")) }
            guard let unit = units.first(where: { $0.name == name }) else { return nil }
            rest = rest.dropFirst(name.count)
            sum += number * unit.nanoseconds
        }
        return text.isEmpty || sum >= 0x1p63 ? nil : Int64(sum)
    }
}
