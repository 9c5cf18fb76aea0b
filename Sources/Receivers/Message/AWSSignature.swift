internal import ConfigurationFields
internal import CurlHTTP
internal import Glibc
internal import MetricModel
internal import Runtime
internal import TLS
internal import YAML

/// The source of AWS keys: `sigv4` of an integration. A value.
struct AWSCredentials: Equatable, Sendable {
    /// An access key.
    struct Keys: Equatable, Sendable {
        var access: String
        var secret: String
        var session: String?
    }

    var region: String
    var accessKey: String
    var secretKey: HTTPSettings.Secret?
    var profile: String
    var role: String

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        (region, accessKey, secretKey, profile, role) = ("", "", nil, "", "")
        guard let node = reader.fields.optional("sigv4") else { return }
        var fields = try FieldReader(node, path: reader.fields.path(of: "sigv4"), file: reader.fields.file)
        region = try fields.optionalText("region") ?? ""
        accessKey = try fields.optionalText("access_key") ?? ""
        secretKey = try fields.secretOrFile("secret_key", reader.directory)
        profile = try fields.optionalText("profile") ?? ""
        role = try fields.optionalText("role_arn") ?? ""
        for name in ["external_id", "use_fips_sts_endpoint"] { _ = fields.optional(name) }
        try fields.finish()
        if accessKey.isEmpty != (secretKey == nil) {
            throw fields.fault(
                "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config")
        }
    }

    /// The region; from the environment if none is configured.
    var effectiveRegion: String? {
        region.isEmpty ? Self.variable("AWS_REGION") ?? Self.variable("AWS_DEFAULT_REGION") : region
    }

    /// The keys: configured ones, or those from the environment or the shared credentials file. With a role, temporary
    /// ones for it.
    func keys(
        _ region: String, send: (HTTPRequest) throws(DeliveryFailure) -> HTTPResponse
    ) throws(DeliveryFailure) -> Keys {
        let own = try ownKeys()
        guard !role.isEmpty else { return own }
        let query = FormText.encoded([
            ("Action", "AssumeRole"), ("RoleArn", role), ("RoleSessionName", "tribune"), ("Version", "2011-06-15"),
        ])
        var request = HTTPRequest(
            method: "POST", url: "https://sts.\(region).amazonaws.com/",
            headers: [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")], body: Array(query.utf8),
            timeoutMilliseconds: Delivery.timeoutMilliseconds)
        AWSSignature(keys: own, region: region, service: "sts").sign(&request)
        let response = try send(request)
        try Delivery.check(response)
        let text = String(decoding: response.body, as: UTF8.self)
        guard let access = Self.element("AccessKeyId", text), let secret = Self.element("SecretAccessKey", text),
            let session = Self.element("SessionToken", text)
        else { throw DeliveryFailure("the response of AssumeRole has no credentials", isRetryable: true) }
        return Keys(access: access, secret: secret, session: session)
    }

    private func ownKeys() throws(DeliveryFailure) -> Keys {
        if let secretKey {
            do throws(HTTPFailure) {
                return Keys(access: accessKey, secret: try secretKey.read(), session: nil)
            } catch {
                throw DeliveryFailure(error.message, isRetryable: true)
            }
        }
        if profile.isEmpty, let access = Self.variable("AWS_ACCESS_KEY_ID"),
            let secret = Self.variable("AWS_SECRET_ACCESS_KEY")
        {
            return Keys(access: access, secret: secret, session: Self.variable("AWS_SESSION_TOKEN"))
        }
        if let keys = Self.shared(profile.isEmpty ? Self.variable("AWS_PROFILE") ?? "default" : profile) { return keys }
        throw DeliveryFailure(
            "no AWS credentials in sigv4, in the environment or in the shared credentials file", isRetryable: true)
    }

    /// The keys of a profile in `~/.aws/credentials`.
    private static func shared(_ profile: String) -> Keys? {
        let path = variable("AWS_SHARED_CREDENTIALS_FILE") ?? variable("HOME").map { "\($0)/.aws/credentials" }
        guard let path, let text = FileText.read(path) else { return nil }
        var (isInside, values): (Bool, [String: String]) = (false, [:])
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.filter { !$0.isWhitespace }
            if words.hasPrefix("[") {
                isInside = words == "[\(profile)]"
            } else if isInside, let sign = words.firstIndex(of: "=") {
                values[String(words[..<sign])] = String(words[words.index(after: sign)...])
            }
        }
        guard let access = values["aws_access_key_id"], let secret = values["aws_secret_access_key"] else { return nil }
        return Keys(access: access, secret: secret, session: values["aws_session_token"])
    }

    private static func element(_ name: String, _ xml: String) -> String? {
        guard let start = xml.firstRange(of: "<\(name)>"), let end = xml.firstRange(of: "</\(name)>"),
            start.upperBound <= end.lowerBound
        else { return nil }
        return String(xml[start.upperBound..<end.lowerBound])
    }

    private static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }
}

/// Signs requests to AWS (Signature Version 4). A value.
struct AWSSignature {
    let keys: AWSCredentials.Keys
    let region: String
    let service: String

    /// Adds the header fields of the signature. The URL must have no query.
    func sign(_ request: inout HTTPRequest, atMilliseconds now: Int64 = SystemClock.wallMilliseconds()) {
        let stamp = RFC3339.text(milliseconds: now / 1000 * 1000).filter { $0 != "-" && $0 != ":" }
        let day = String(stamp.prefix(8))
        let rest = request.url.firstRange(of: "://").map { request.url[$0.upperBound...] } ?? request.url[...]
        let host = String(rest.prefix { $0 != "/" })
        let path = String(rest.dropFirst(host.count))
        var fields = [("host", host), ("x-amz-date", stamp)]
        for header in request.headers where header.name.lowercased() == "content-type" {
            fields.append(("content-type", header.value))
        }
        if let session = keys.session { fields.append(("x-amz-security-token", session)) }
        fields.sort { $0.0 < $1.0 }
        let names = fields.map(\.0).joined(separator: ";")
        let canonical =
            [request.method, path.isEmpty ? "/" : path, ""].joined(separator: "\n") + "\n"
            + fields.map { "\($0.0):\($0.1)\n" }.joined() + "\n\(names)\n\(Hexadecimal.text(SHA256.hash(request.body)))"
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(stamp)\n\(scope)\n\(SHA256.hex(canonical))"
        var key = Array("AWS4\(keys.secret)".utf8)
        for part in [day, region, service, "aws4_request"] { key = HMACSHA256.code(for: Array(part.utf8), key: key) }
        let signature = Hexadecimal.text(HMACSHA256.code(for: Array(text.utf8), key: key))
        request.headers += [("X-Amz-Date", stamp)]
        if let session = keys.session { request.headers.append(("X-Amz-Security-Token", session)) }
        request.headers.append(
            (
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=\(keys.access)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
            ))
    }
}
