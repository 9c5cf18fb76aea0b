/// Sessions of identities that have exchanged a proof for short-lived tokens. A machine without a clock.
///
/// A session ends by itself, is revoked, ends with the proof that it began with, or because one of its refresh tokens
/// is shown twice: then somebody else has a copy (RFC 9700 §4.14).
public struct Sessions: Equatable, Sendable {
    /// The proof of identity that a session rests on. The session ends when the policy no longer has it.
    public enum Proof: Equatable, Sendable {
        /// A token with this hash, which ends at a time in milliseconds since the epoch.
        case token(hash: [UInt8], expires: Int64?)
        /// A password with this hash; `nil` if the web configuration has it.
        case password(hash: String?)
        /// A login at an issuer with this configuration.
        case issuer(TokenIssuer)
        /// A certificate or a socket, which the policy has by the name.
        case name
    }

    /// One session.
    public struct Session: Equatable, Sendable {
        /// Its owner.
        public var grant: AccessPolicy.Grant
        /// How the identity was proved when it began.
        public var method: Principal.Method
        /// The proof that it rests on.
        public var proof = Proof.name
        /// When it ends, in milliseconds since the epoch.
        public var expires: Int64
        /// SHA-256 of the refresh token that is valid now.
        var refresh: [UInt8]
        /// Those before it, of which a second use is noticed.
        var former: [[UInt8]] = []
    }

    private var sessions: [String: Session] = [:]
    /// The session of each refresh token, and of the last ones that were used.
    private var refreshTokens: [[UInt8]: String] = [:]
    private let capacity: Int

    /// Used refresh tokens that are remembered for a session.
    private static let formerLimit = 16

    /// How long a session lasts unless it is refreshed.
    public static let milliseconds: Int64 = 24 * 3_600_000

    /// - Parameter capacity: Sessions at once; for a further one the one that ends first is ended.
    public init(capacity: Int = 10_000) {
        self.capacity = max(capacity, 1)
    }

    /// The session `id` at `now`; `nil` where it has ended.
    public subscript(id: String, at now: Int64) -> Session? {
        guard let session = sessions[id], session.expires > now else { return nil }
        return session
    }

    /// Begins a session whose refresh token has the hash `refresh`.
    public mutating func begin(
        _ id: String, _ grant: AccessPolicy.Grant, _ method: Principal.Method, _ proof: Proof = .name,
        refresh: [UInt8], at now: Int64
    ) {
        if sessions.count >= capacity { makeRoom(at: now) }
        sessions[id] = Session(
            grant: grant, method: method, proof: proof, expires: Self.end(of: proof, from: now), refresh: refresh)
        refreshTokens[refresh] = id
    }

    /// When a session that begins or is refreshed at `now` ends: not after the token that it rests on.
    private static func end(of proof: Proof, from now: Int64) -> Int64 {
        guard case .token(_, let expires?) = proof else { return now + milliseconds }
        return min(now + milliseconds, expires)
    }

    /// Exchanges the refresh token with the hash `old` for `new`. Returns the session, or `nil` where the token is not
    /// known, has ended or was used before. The session of a browser has none: it ends a day after its login.
    public mutating func refresh(_ old: [UInt8], by new: [UInt8], at now: Int64) -> (id: String, session: Session)? {
        guard let id = refreshTokens[old], var session = self[id, at: now], session.method != .session else {
            return nil
        }
        guard session.refresh == old else {
            end(id)
            return nil
        }
        session.former.append(old)
        if session.former.count > Self.formerLimit { refreshTokens[session.former.removeFirst()] = nil }
        session.refresh = new
        session.expires = Self.end(of: session.proof, from: now)
        sessions[id] = session
        refreshTokens[new] = id
        return (id, session)
    }

    /// The session to which the refresh token with this hash belongs.
    public func id(ofRefresh hash: [UInt8]) -> String? { refreshTokens[hash] }

    /// Ends a session. False where there is none.
    @discardableResult public mutating func end(_ id: String) -> Bool {
        guard let session = sessions.removeValue(forKey: id) else { return false }
        for token in session.former + [session.refresh] { refreshTokens[token] = nil }
        return true
    }

    /// Ends the sessions for which `update` gives nothing, and changes what the others are given.
    mutating func reconcile(_ update: (Session) -> AccessPolicy.Grant?) {
        for id in Array(sessions.keys) { _ = reconcile(id, update) }
    }

    /// The same for one session. False if it has ended.
    mutating func reconcile(_ id: String, _ update: (Session) -> AccessPolicy.Grant?) -> Bool {
        guard let session = sessions[id] else { return false }
        guard let grant = update(session) else {
            end(id)
            return false
        }
        sessions[id]?.grant = grant
        return true
    }

    private mutating func makeRoom(at now: Int64) {
        for (id, session) in sessions where session.expires <= now { end(id) }
        guard sessions.count >= capacity, let first = sessions.min(by: { $0.value.expires < $1.value.expires }) else {
            return
        }
        end(first.key)
    }
}
