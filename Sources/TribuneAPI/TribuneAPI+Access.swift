public import Identity
internal import JSON
internal import MetricModel
internal import WebCore

/// The identities and their permissions.
extension TribuneAPI {
    var accessEndpoints: [Endpoint] {
        [
            .data(
                [.get], "/api/v1/access/whoami", "Shows who the server takes the client for.", needsStore: false, whoAmI
            ),
            .data(
                [.get], "/api/v1/access/identities", "Lists the identities of the configuration, with their last use.",
                permission: .audit, needsStore: false, identities),
            .data(
                [.post], "/api/v1/access/unblock", "Ends the block of the clients at an address.",
                permission: .administer, parameters: [.required("address", .string, "The address.")],
                needsStore: false, unblock),
            .data(
                [.post], "/api/v1/access/token", "Exchanges the proof of an identity for short-lived tokens.",
                permission: .session, needsStore: false, issueTokens),
            .data(
                [.post], "/api/v1/access/refresh", "Exchanges a refresh token for new tokens, once.",
                permission: .probe, parameters: [Self.refreshToken], needsStore: false, refreshTokens),
            .data(
                [.post], "/api/v1/access/revoke", "Ends the session of a refresh token.", permission: .probe,
                parameters: [Self.refreshToken], needsStore: false, revokeTokens),
        ]
    }

    private static let refreshToken = Parameter.required("refresh_token", .string, "The refresh token.")

    private func unblock(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let wasBlocked = sources.tokens.unblock(call["address"])
        writer.object { $0.member("unblocked", wasBlocked) }
        return APIResult()
    }

    private func issueTokens(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        guard let tokens = sources.tokens.issue(call.principal) else {
            throw APIError(.forbidden, "tokens that are short-lived already are not exchanged for others")
        }
        Self.write(tokens, into: &writer)
        return APIResult()
    }

    private func refreshTokens(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        guard let tokens = sources.tokens.refresh(call["refresh_token"]) else {
            throw APIError(.unauthorized, "the refresh token is not valid, has ended or was used before")
        }
        Self.write(tokens, into: &writer)
        return APIResult()
    }

    private func revokeTokens(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let isRevoked = sources.tokens.revoke(call["refresh_token"])
        writer.object { $0.member("revoked", isRevoked) }
        return APIResult()
    }

    private static func write(_ tokens: IssuedTokens, into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("access_token", tokens.access)
            writer.member("token_type", "Bearer")
            writer.member("expires_in", tokens.accessSeconds)
            writer.member("refresh_token", tokens.refresh)
            writer.member("refresh_expires_in", tokens.refreshSeconds)
        }
    }

    private func whoAmI(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let principal = call.principal
        writer.object { writer in
            writer.member("name", orNull: principal.name)
            writer.member("method", principal.method.rawValue)
            writer.member("address", principal.address)
            writer.name("roles")
            writer.array(principal.roles.map(\.rawValue).sorted()) { $0.string($1) }
            writer.name("permissions")
            writer.array(Permission.allCases.filter { principal.permissions.contains($0) }) { $0.string($1.rawValue) }
        }
        return APIResult()
    }

    private func identities(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let known = sources.identities().sorted { ByteOrder.precedes($0.name, $1.name) }
        writer.object { writer in
            writer.name("identities")
            writer.array(known) { writer, identity in
                writer.object { writer in
                    writer.member("name", identity.name)
                    writer.member("method", identity.method.rawValue)
                    for (name, list) in [
                        ("roles", identity.roles), ("plans", identity.plans), ("services", identity.services),
                    ] {
                        writer.name(name)
                        writer.array(list) { $0.string($1) }
                    }
                    writer.member("expires", orNull: identity.expires.map { RFC3339.text(milliseconds: $0) })
                    writer.member("last_used", orNull: identity.lastUsed.map { RFC3339.text(milliseconds: $0) })
                }
            }
        }
        return APIResult()
    }
}

/// The source of short-lived tokens. Provided by the composition root.
public struct TokenSources: Sendable {
    /// Tokens for an identity; `nil` where it gets none.
    public var issue: @Sendable (Principal) -> IssuedTokens? = { _ in nil }
    /// New tokens for a refresh token; `nil` where it is not valid.
    public var refresh: @Sendable (String) -> IssuedTokens? = { _ in nil }
    /// Ends the session of a refresh token. False where there is none.
    public var revoke: @Sendable (String) -> Bool = { _ in false }

    /// Ends the block of the clients at an address. False where none was blocked.
    public var unblock: @Sendable (String) -> Bool = { _ in false }

    /// Sources without tokens.
    public init() {}
}
