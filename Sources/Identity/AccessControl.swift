internal import Glibc
public import Instrumentation
internal import Passwords
internal import Runtime
internal import Synchronization
internal import TLS
public import WebServer

/// Identifies the sender of a request and decides whether it is permitted. Any thread may use it.
///
/// The policy may change at any time; limits and lockouts are kept.
public final class AccessControl: Sendable {
    /// Indices derived from a policy, so that a request needs two lookups.
    struct Compiled: Sendable {
        let policy: AccessPolicy
        let tokens: [[UInt8]: AccessPolicy.Token]
        let users: [String: AccessPolicy.User]
        let certificates: [String: AccessPolicy.Grant]
        let issuers: [String: IssuerKeys]
        /// Counts the reloads.
        let generation: Int
    }

    /// An identity and how it is proved, since names of different kinds may be equal.
    struct UsedIdentity: Hashable {
        var name: String
        var method: Principal.Method
    }

    struct State {
        var buckets = TokenBuckets()
        var lockouts = Lockouts()
        /// When an identity was last recorded, by its name and address.
        var recorded: [Lockouts.Key: Int64] = [:]
        /// When each identity of the configuration was last used, in milliseconds since the epoch.
        var lastUse: [UsedIdentity: Int64] = [:]
        /// The rate of recorded denials.
        var denials = TokenBuckets(capacity: 1000)
        /// Tokens whose signature was found right, by SHA-256.
        var verified: [[UInt8]: VerifiedToken] = [:]
        var sessions = Sessions()
        var logins = PendingLogins()
        var anomalies = AnomalyScores()
        var usualHours = UsualHours()
    }

    private let compiled: Mutex<Compiled>
    let state = Mutex(State())
    private let passwords = BcryptPasswords()
    let ownTokens = OwnTokens()
    /// The Unix socket for the service's own user; empty for none.
    private let controlSocket: String
    /// The token created at the start; `nil` for none.
    private let localToken: AccessPolicy.Token?
    let instruments: AccessInstruments
    let report: @Sendable (AccessEvent) -> Void

    /// - Parameters:
    ///   - local: the socket and token of the service's own user.
    ///   - report: receives events for the ledger; called on the threads of requests.
    public init(
        _ policy: AccessPolicy = AccessPolicy(), local: LocalAccess? = nil, registry: Registry = Registry(),
        report: @escaping @Sendable (AccessEvent) -> Void = { _ in }
    ) {
        controlSocket = local?.startingSocket ?? ""
        localToken = local.map {
            var grant = AccessPolicy.Grant("local token", roles: [.admin])
            grant.isShared = true
            return AccessPolicy.Token(grant, text: $0.token, method: .localToken)
        }
        self.report = report
        instruments = AccessInstruments(registry)
        compiled = Mutex(Self.compile(policy, localToken, [:], generation: 0))
    }

    /// The keys of the issuer `name`; `nil` where it is not configured.
    func issuerKeys(_ name: String) -> IssuerKeys? { compiled.withLock { $0.issuers[name] } }

    /// Replaces the policy.
    public func reload(_ policy: AccessPolicy) {
        let former = compiled.withLock { $0 }
        let new = Self.compile(policy, localToken, former.issuers, generation: former.generation + 1)
        compiled.withLock { $0 = new }
        state.withLock { state in
            // Tokens of issuers are looked at again, since what their claims mean may have changed.
            state.verified.removeAll()
            state.sessions.reconcile { Self.grant(of: $0, new) }
        }
    }

    /// Compares a new session with the policy in force: its proof was looked at before, and a reload since then may
    /// have taken it away. Called with the state's lock. False if the session has ended.
    func confirm(_ session: String, _ state: inout State) -> Bool {
        let present = compiled.withLock { $0 }
        return state.sessions.reconcile(session) { Self.grant(of: $0, present) }
    }

    /// Whether the policy has not changed since `compiled` was read. Called with the state's lock: what is put into the
    /// state before it is released is looked at by the next reload.
    func isCurrent(_ generation: Int) -> Bool { compiled.withLock { $0.generation } == generation }

    /// The grant of a session's identity in a policy; `nil` if the policy no longer has the proof that it rests on.
    private static func grant(of session: Sessions.Session, _ compiled: Compiled) -> AccessPolicy.Grant? {
        let name = session.grant.name
        switch session.proof {
        case .token(let hash, _): return compiled.tokens[hash]?.grant
        case .password(let hash):
            guard let user = compiled.users[name] else {
                return compiled.policy.users.isEmpty && hash == nil ? session.grant : nil
            }
            return user.passwordHash == hash ? user.grant : nil
        // The meaning of the issuer's claims may have changed.
        case .issuer(let issuer): return compiled.issuers[issuer.issuer]?.issuer == issuer ? session.grant : nil
        case .name: return session.method == .certificate ? compiled.certificates[name] : session.grant
        }
    }

    /// The policy in force.
    public var policy: AccessPolicy { compiled.withLock { $0.policy } }

    private static func compile(
        _ policy: AccessPolicy, _ local: AccessPolicy.Token?, _ former: [String: IssuerKeys], generation: Int
    ) -> Compiled {
        let tokens = policy.tokens + (local.map { [$0] } ?? [])
        return Compiled(
            policy: policy, tokens: Dictionary(tokens.map { ($0.hash, $0) }, uniquingKeysWith: { first, _ in first }),
            users: Dictionary(policy.users.map { ($0.grant.name, $0) }, uniquingKeysWith: { first, _ in first }),
            certificates: Dictionary(
                policy.certificates.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first }),
            issuers: Dictionary(
                policy.issuers.map { issuer in
                    // An issuer that stays as it was keeps its keys.
                    (
                        issuer.issuer,
                        former[issuer.issuer].flatMap { $0.issuer == issuer ? $0 : nil } ?? IssuerKeys(issuer)
                    )
                }, uniquingKeysWith: { first, _ in first }), generation: generation)
    }

    // MARK: Requests

    /// The sender of `request`, which needs `permission`. Throws if it is refused.
    public func admit(_ request: HTTPServerRequest, _ permission: Permission) throws(Refusal) -> Principal {
        // Probes must always work.
        if permission == .probe { return Principal(permissions: PermissionSet(.probe), address: request.peer) }
        let compiled = compiled.withLock { $0 }
        let source = RequestSource(request, proxies: compiled.policy.trustedProxies)
        var principal = anonymous(source, compiled.policy)
        principal.claimed = Self.claimedName(request)
        do throws(Refusal) {
            try checkPage(request, permission, compiled.policy)
            let proved = try identify(request, source, compiled, permission)
            if let proved {
                principal = proved
                principal.claimed = Self.claimedName(request)
            }
            try checkBlock(principal, compiled.policy)
            try checkRate(principal, permission, compiled.policy)
            try authorize(principal, permission)
        } catch {
            denied(principal, error, permission, request)
            throw error
        }
        if let name = principal.name {
            noteUse(of: name, principal.method)
            used(principal)
        }
        return principal
    }

    /// Whether `request` shows something else than a password: a token, a session, or the control socket.
    func showsOtherProof(_ request: HTTPServerRequest) -> Bool {
        request.client.socketPath == controlSocket && !controlSocket.isEmpty || Self.bearer(request) != nil
            || Self.cookie(Self.sessionCookie, request) != nil
    }

    /// Whether `request` proves an identity by something else than a password. May take some seconds, for the keys of
    /// an issuer.
    func recognizes(_ request: HTTPServerRequest) -> Bool {
        let compiled = compiled.withLock { $0 }
        let source = RequestSource(request, proxies: compiled.policy.trustedProxies)
        if controlPeer(request, source) != nil { return true }
        guard let text = Self.bearer(request) else { return hasBrowserSession(request) }
        if case .some = try? token(text, source, compiled) { return true }  // a wrong one is no proof
        return false
    }

    /// The name given by the client; it proves nothing.
    private static func claimedName(_ request: HTTPServerRequest) -> String? {
        guard let name = request[header: "X-Tribune-Actor"], (1...200).contains(name.utf8.count) else { return nil }
        return name
    }

    /// The unauthenticated sender of `request`.
    func nobody(_ request: HTTPServerRequest) -> Principal {
        let policy = policy
        return anonymous(RequestSource(request, proxies: policy.trustedProxies), policy)
    }

    private func anonymous(_ source: RequestSource, _ policy: AccessPolicy) -> Principal {
        var principal = Principal(
            permissions: source.isThisMachine ? policy.thisMachine : policy.everybody, address: source.address)
        principal.isThisMachine = source.isThisMachine
        return principal
    }

    private func checkPage(
        _ request: HTTPServerRequest, _ permission: Permission, _ policy: AccessPolicy
    ) throws(Refusal) {
        if request.client.credentials == nil, let host = request[header: "Host"], !policy.hosts.contains(host: host) {
            throw Refusal(
                .foreignHost,
                "the name \"\(host.prefix(200))\" is not one of this server; the field \"hosts\" of the access file adds names"
            )
        }
        if permission.changesState, PageOrigin.isForeign(request, external: policy.externalOrigin) {
            throw Refusal(.foreignPage, "requests from pages of other sites are refused")
        }
    }

    // MARK: Identity

    private func identify(
        _ request: HTTPServerRequest, _ source: RequestSource, _ compiled: Compiled, _ permission: Permission
    ) throws(Refusal) -> Principal? {
        if let principal = controlPeer(request, source) { return principal }
        let free = source.isThisMachine ? compiled.policy.thisMachine : compiled.policy.everybody
        do throws(Refusal) {
            if let text = Self.bearer(request) { return try token(text, source, compiled) }
            if let (user, password) = request.basicCredentials, request.identity == nil, !compiled.users.isEmpty {
                return try self.user(user, password, source, compiled)
            }
        } catch {
            // Also where nothing is refused: a lockout keeps hashes from being computed for a guesser.
            if error.kind == .credentialsWrong { failed(request, source, compiled.policy) }
            // Clients often send credentials to servers that need none. Free requests stay free.
            let isWrong = error.kind == .credentialsWrong || error.kind == .lockedOut
            guard isWrong, free.contains(permission) else { throw error }
            return nil
        }
        if let user = request.identity { return webUser(user, source, compiled) }
        if let grant = try browserSession(request, permission, compiled.policy) {
            return proved(grant, .session, .name, source)
        }
        if let certificate = request.client.certificate, certificate.isVerified {
            for name in certificate.alternativeNames + [certificate.subject] {
                if let grant = compiled.certificates[name] { return proved(grant, .certificate, .name, source) }
            }
        }
        return nil
    }

    /// The service's own user, or root, at the control socket.
    private func controlPeer(_ request: HTTPServerRequest, _ source: RequestSource) -> Principal? {
        guard let peer = request.client.credentials, !controlSocket.isEmpty, source.isThisMachine,
            request.client.socketPath == controlSocket, peer.user == geteuid() || peer.user == 0
        else { return nil }
        var principal = Principal(name: SystemUser.name(peer.user), method: .socket, roles: [.admin])
        principal.isThisMachine = true
        principal.isShared = true
        return principal
    }

    private static func bearer(_ request: HTTPServerRequest) -> String? {
        guard let value = request[header: "Authorization"], value.utf8.count > 7,
            value.prefix(7).lowercased() == "bearer "
        else { return nil }
        return String(value.dropFirst(7).drop { $0 == " " })
    }

    /// Of tokens of issuers and sessions there may be any number.
    private func noteUse(of name: String, _ method: Principal.Method) {
        guard method == .token || method == .basic || method == .certificate else { return }
        let now = SystemClock.wallMilliseconds()
        state.withLock { $0.lastUse[UsedIdentity(name: name, method: method)] = now }
    }

    private func token(
        _ text: String, _ source: RequestSource, _ compiled: Compiled
    ) throws(Refusal) -> Principal {
        // Found by its hash, so that the time reveals nothing about tokens.
        let hash = SHA256.hash(text)
        guard let token = compiled.tokens[hash] else {
            let (grant, method) = try webToken(text, hash: hash, compiled)
            return proved(grant, method, .name, source)
        }
        let now = SystemClock.wallMilliseconds()
        if let expires = token.expires, expires <= now {
            throw Refusal(.credentialsWrong, "the token of \"\(token.grant.name)\" has expired")
        }
        return proved(token.grant, token.method, .token(hash: hash, expires: token.expires), source)
    }

    private func user(
        _ name: String, _ password: String, _ source: RequestSource, _ compiled: Compiled
    ) throws(Refusal) -> Principal {
        let key = Self.lockoutKey(name, source.address)
        // Before the hash of a password is computed for it.
        try checkBlock(anonymous(source, compiled.policy), compiled.policy)
        try checkLockout(key)
        let user = compiled.users[name]
        let hash = user?.passwordHash
        let isValid: Bool
        if let known = passwords.remembered(name, password, hash: hash) {
            isValid = known
        } else {
            isValid = passwords.isValid(name, password, hash: hash)
        }
        guard isValid, let user else { throw Refusal(.credentialsWrong, "the name or the password is wrong") }
        state.withLock { $0.lockouts.succeeded(key) }
        return proved(user.grant, .basic, .password(hash: hash), source)
    }

    /// A user whose password is in the web configuration.
    private func webUser(_ name: String, _ source: RequestSource, _ compiled: Compiled) -> Principal {
        if let user = compiled.users[name] {
            return proved(user.grant, .basic, .password(hash: user.passwordHash), source)
        }
        let permissions = compiled.policy.passwordUsers ?? compiled.policy.thisMachine
        return proved(.init(name, permissions: permissions), .basic, .password(hash: nil), source)
    }

    private func proved(
        _ grant: AccessPolicy.Grant, _ method: Principal.Method, _ proof: Sessions.Proof, _ source: RequestSource
    ) -> Principal {
        var principal = Principal(
            name: grant.name, method: method, roles: grant.roles, permissions: grant.permissions, scope: grant.scope,
            address: source.address)
        principal.isThisMachine = source.isThisMachine
        principal.isShared = grant.isShared
        principal.proof = proof
        return principal
    }
}
