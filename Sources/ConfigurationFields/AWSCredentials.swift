public import CurlHTTP
internal import Glibc
internal import Runtime
public import YAML

/// The source of AWS keys: `sigv4` of an integration, or the keys of an entry of `ec2_sd_configs`. A value.
public struct AWSCredentials: Equatable, Sendable {
    /// An access key.
    public struct Keys: Equatable, Sendable {
        var access: String
        var secret: String
        var session: String?
    }

    /// The region; empty for the one in the environment.
    public var region = ""
    /// The name of the access key.
    public var accessKey = ""
    /// The access key's secret; `nil` for keys from the environment or the shared credentials file.
    public var secretKey: HTTPSettings.Secret?
    /// The profile in the shared credentials file.
    public var profile = ""
    /// The role to assume; empty for none.
    public var role = ""

    private static let timeoutMilliseconds: Int64 = 30_000

    /// The keys from the environment or the shared credentials file.
    public init() {}

    /// Reads the fields among others of `fields`; other fields are left to the caller.
    ///
    /// - Parameter directory: the directory of relative paths.
    public init(_ fields: inout FieldReader, directory: String) throws(YAMLError) {
        region = try fields.optionalText("region") ?? ""
        accessKey = try fields.optionalText("access_key") ?? ""
        secretKey = try HTTPSettings.secret(&fields, "secret_key", directory)
        profile = try fields.optionalText("profile") ?? ""
        role = try fields.optionalText("role_arn") ?? ""
        for name in ["external_id", "use_fips_sts_endpoint"] { _ = fields.optional(name) }
        if accessKey.isEmpty != (secretKey == nil) {
            throw fields.fault(
                "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config")
        }
    }

    /// The region; from the environment if none is configured.
    public var effectiveRegion: String? {
        region.isEmpty ? Self.variable("AWS_REGION") ?? Self.variable("AWS_DEFAULT_REGION") : region
    }

    /// The keys: configured ones, or those from the environment or the shared credentials file. With a role, temporary
    /// ones for it.
    ///
    /// - Parameter send: sends a request and waits for the response, with any status.
    public func keys(
        _ region: String, send: (HTTPRequest) throws(HTTPFailure) -> HTTPResponse
    ) throws(HTTPFailure) -> Keys {
        let own = try ownKeys()
        guard !role.isEmpty else { return own }
        let query = FormText.encoded([
            ("Action", "AssumeRole"), ("RoleArn", role), ("RoleSessionName", "tribune"), ("Version", "2011-06-15"),
        ])
        var request = HTTPRequest(
            method: "POST", url: "https://sts.\(region).amazonaws.com/",
            headers: [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")], body: Array(query.utf8),
            timeoutMilliseconds: Self.timeoutMilliseconds)
        AWSSignature(keys: own, region: region, service: "sts").sign(&request)
        let response = try send(request)
        guard response.status == 200 else {
            throw HTTPFailure(
                response.status < 500 ? .badRequest : .other, "AssumeRole answered with status \(response.status)")
        }
        let text = String(decoding: response.body, as: UTF8.self)
        guard let access = Self.element("AccessKeyId", text), let secret = Self.element("SecretAccessKey", text),
            let session = Self.element("SessionToken", text)
        else { throw HTTPFailure(.other, "the response of AssumeRole has no credentials") }
        return Keys(access: access, secret: secret, session: session)
    }

    private func ownKeys() throws(HTTPFailure) -> Keys {
        if let secretKey { return Keys(access: accessKey, secret: try secretKey.read(), session: nil) }
        if profile.isEmpty, let access = Self.variable("AWS_ACCESS_KEY_ID"),
            let secret = Self.variable("AWS_SECRET_ACCESS_KEY")
        {
            return Keys(access: access, secret: secret, session: Self.variable("AWS_SESSION_TOKEN"))
        }
        if let keys = Self.shared(profile.isEmpty ? Self.variable("AWS_PROFILE") ?? "default" : profile) { return keys }
        throw HTTPFailure(
            .other, "no AWS credentials in the configuration, in the environment or in the shared credentials file")
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
