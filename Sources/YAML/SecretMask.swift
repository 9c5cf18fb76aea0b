/// Removes the secrets from a configuration, so that it can be displayed.
public enum SecretMask {
    private static let mask = "<secret>"

    /// Fields whose whole value is secret. The path of a file with a secret is not secret.
    private static let secretFields: Set<String> = [
        "password", "credentials", "bearer_token", "client_secret", "secret", "secrets", "secret_key", "token",
        "api_key",
        "api_token", "routing_key", "service_key", "connection", "key", "client_certificate_key",
        "application_credential_secret", "smtp_auth_password", "smtp_auth_secret", "slack_api_url", "victorops_api_key",
        "app_token", "slack_app_token", "telegram_bot_token", "rocketchat_token", "rocketchat_token_id", "token_id",
        "mattermost_webhook_url", "alert_source_token", "opsgenie_api_key", "wechat_api_secret", "auth_password",
        "auth_secret", "api_secret", "bot_token", "user_key",
    ]

    /// `node` with every secret replaced by `<secret>`, the password in a URL by `xxxxx`.
    ///
    /// - Parameter hidden: fields with URLs of which only the host is shown, because the rest is secret.
    public static func masked(_ node: YAMLNode, hiding hidden: Set<String> = []) -> YAMLNode {
        var node = node
        switch node.content {
        case .scalar(let text, let isPlain):
            if let shown = withoutPassword(text) { node.content = .scalar(shown, isPlain: isPlain) }
        case .sequence(let elements):
            node.content = .sequence(elements.map { masked($0, hiding: hidden) })
        case .mapping(let members):
            node.content = .mapping(
                members.map { member in
                    let name = member.key.text?.lowercased() ?? ""
                    let isSecret = secretFields.contains(name)
                    // Headers of requests are given by name, and any of them may contain a token.
                    let isHeaders = member.key.text == "http_headers"
                    return YAMLNode.Member(
                        key: member.key,
                        value: isSecret
                            ? self.hidden(member.value)
                            : isHeaders
                                ? withoutValues(member.value)
                                : hidden.contains(name)
                                    ? hostOnly(member.value) : masked(member.value, hiding: hidden))
                })
        }
        return node
    }

    /// `node` with all its texts hidden.
    private static func hidden(_ node: YAMLNode) -> YAMLNode {
        var node = node
        switch node.content {
        case .scalar: if !node.isNull { node.content = .scalar(mask, isPlain: true) }
        case .sequence(let elements): node.content = .sequence(elements.map { hidden($0) })
        case .mapping(let members):
            node.content = .mapping(members.map { YAMLNode.Member(key: $0.key, value: hidden($0.value)) })
        }
        return node
    }

    /// `node`, a mapping of header names, with the values hidden.
    private static func withoutValues(_ node: YAMLNode) -> YAMLNode {
        var node = node
        node.content = .mapping(
            (node.members ?? []).map { header in
                var value = header.value
                value.content = .mapping(
                    (value.members ?? []).map { field in
                        YAMLNode.Member(
                            key: field.key, value: field.key.text == "files" ? field.value : hidden(field.value))
                    })
                return YAMLNode.Member(key: header.key, value: value)
            })
        return node
    }

    /// `node`, a URL, reduced to the host. It is still a URL, so that `amtool` can read it. Other texts are hidden
    /// completely.
    private static func hostOnly(_ node: YAMLNode) -> YAMLNode {
        guard case .scalar(let text, _) = node.content, let scheme = text.firstRange(of: "://") else {
            return hidden(node)
        }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        if host == authority, ["", "/"].contains(rest[authority.endIndex...]) { return node }
        var node = node
        node.content = .scalar("\(text[..<scheme.upperBound])\(host)/\(mask)", isPlain: true)
        return node
    }

    /// A URL with `user:password@` without the password, as Go writes it; `nil` if there is no password.
    private static func withoutPassword(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        guard let start = bytes.indices.dropLast(2).first(where: { bytes[$0...].starts(with: "://".utf8) }) else {
            return nil
        }
        let authority = bytes[(start + 3)...].prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        guard let at = authority.lastIndex(of: UInt8(ascii: "@")),
            let colon = authority[..<at].firstIndex(of: UInt8(ascii: ":"))
        else { return nil }
        let password = "xxxxx"
        return String(decoding: bytes[...colon], as: UTF8.self) + password
            + String(decoding: bytes[at...], as: UTF8.self)
    }
}
