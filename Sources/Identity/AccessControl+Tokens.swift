internal import Runtime
internal import Synchronization
internal import TLS

/// A token whose signature was found right before.
struct VerifiedToken: Sendable {
    var grant: AccessPolicy.Grant
    /// When it ends, in seconds since the epoch.
    var expires: Int64
    /// The session of an own token; `nil` for that of an issuer.
    var session: String?
}

extension AccessControl {
    private static let verifiedCapacity = 10_000
    /// How long the answer of an API server about a token counts.
    private static let reviewSeconds: Int64 = 60

    /// The identity that the JSON Web Token `text` proves. May take some seconds, for the keys of an issuer.
    func webToken(
        _ text: String, hash: [UInt8], _ compiled: Compiled
    ) throws(Refusal) -> (grant: AccessPolicy.Grant, method: Principal.Method) {
        let milliseconds = SystemClock.wallMilliseconds()
        if let known = state.withLock({ $0.verified[hash] }) {
            return try accepted(known, skew: 0, at: milliseconds)
        }
        guard let token = JSONWebToken(text) else { throw Refusal(.credentialsWrong, "the token is not known") }
        let now = milliseconds / 1000
        let verified: VerifiedToken
        do throws(TokenIssuer.Fault) {
            if token.issuer == OwnTokens.name, let ownTokens {
                let (_, session, expires) = try ownTokens.verify(token, at: now)
                guard let known = state.withLock({ $0.sessions[session, at: milliseconds] }) else {
                    throw TokenIssuer.Fault("its session has ended")
                }
                verified = VerifiedToken(grant: known.grant, expires: expires, session: session)
            } else {
                guard let keys = compiled.issuers[token.issuer] else {
                    throw TokenIssuer.Fault("its issuer is not known")
                }
                // The claims cost nothing, and an expired token needs no keys.
                var (grant, expires) = try keys.issuer.grant(of: token, at: now)
                guard keys.verifies(token) else { throw TokenIssuer.Fault("no key of its issuer has signed it") }
                expires += keys.issuer.skewSeconds
                if let review = keys.issuer.review {
                    grant = try keys.reviewed(text, review)
                    // A deleted account is noticed after this time.
                    expires = min(expires, now + Self.reviewSeconds)
                }
                verified = VerifiedToken(grant: grant, expires: expires, session: nil)
            }
        } catch {
            throw Refusal(.credentialsWrong, "the token is refused: \(error.reason)")
        }
        state.withLock { state in
            // A reload meanwhile may have changed what the token is worth.
            guard isCurrent(compiled.generation) else { return }
            if state.verified.count >= Self.verifiedCapacity { state.verified.removeAll() }
            state.verified[hash] = verified
        }
        return try accepted(verified, skew: 0, at: milliseconds)
    }

    private func accepted(
        _ token: VerifiedToken, skew: Int64, at now: Int64
    ) throws(Refusal) -> (grant: AccessPolicy.Grant, method: Principal.Method) {
        guard token.expires > now / 1000 else { throw Refusal(.credentialsWrong, "the token has expired") }
        guard let id = token.session else { return (token.grant, .jwt) }
        // Revoked sessions end at once, and reloads change what a session is given.
        guard let session = state.withLock({ $0.sessions[id, at: now] }) else {
            throw Refusal(.credentialsWrong, "the session of the token has ended")
        }
        return (session.grant, .jwt)
    }

    // MARK: Own tokens

    /// Short-lived tokens for `principal`; `nil` where it has proved nothing, or by tokens that are short-lived
    /// already.
    public func issueTokens(for principal: Principal) -> IssuedTokens? {
        guard let name = principal.name, principal.method != .jwt, principal.method != .session else { return nil }
        var grant = AccessPolicy.Grant(
            name, roles: principal.roles, permissions: principal.permissions, scope: principal.scope)
        grant.isShared = principal.isShared
        guard let id = Self.random(16), let refresh = Self.random(32) else { return nil }
        let now = SystemClock.wallMilliseconds()
        let isThere = state.withLock { [grant] state in
            state.sessions.begin(
                id, grant, principal.method, principal.proof, refresh: SHA256.hash(refresh), at: now)
            return confirm(id, &state)
        }
        guard isThere else { return nil }
        return tokens(name, id, refresh, at: now)
    }

    /// New tokens for a refresh token; `nil` if it is invalid or has expired.
    public func refreshTokens(_ refresh: String) -> IssuedTokens? {
        guard let new = Self.random(32) else { return nil }
        let now = SystemClock.wallMilliseconds()
        let found = state.withLock { $0.sessions.refresh(SHA256.hash(refresh), by: SHA256.hash(new), at: now) }
        return found.flatMap { tokens($0.session.grant.name, $0.id, new, at: now) }
    }

    /// Ends the session of a refresh token. False where there is none.
    public func revokeTokens(_ refresh: String) -> Bool {
        let hash = SHA256.hash(refresh)
        return state.withLock { state in
            state.sessions.id(ofRefresh: hash).map { state.sessions.end($0) } ?? false
        }
    }

    private func tokens(_ name: String, _ session: String, _ refresh: String, at now: Int64) -> IssuedTokens? {
        ownTokens?.issue(name, session: session, at: now / 1000).map {
            IssuedTokens(
                access: $0, accessSeconds: OwnTokens.accessSeconds, refresh: refresh,
                refreshSeconds: Sessions.milliseconds / 1000)
        }
    }

    static func random(_ count: Int) -> String? {
        guard case .some(let bytes) = try? SecureRandom.bytes(count) else { return nil }  // then nothing is given out
        return Base64URL.text(bytes)
    }
}
