/// Sessions of identities that have exchanged a proof for short-lived tokens. A machine without a clock.
///
/// A session ends by itself, is revoked, or ends because one of its refresh tokens is shown twice: then somebody else
/// has a copy (RFC 9700 §4.14).
public struct Sessions: Equatable, Sendable {
    /// One session.
    public struct Session: Equatable, Sendable {
        /// Its owner.
        public var grant: AccessPolicy.Grant
        /// How the identity was proved when it began.
        public var method: Principal.Method
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
        _ id: String, _ grant: AccessPolicy.Grant, _ method: Principal.Method, refresh: [UInt8], at now: Int64
    ) {
        if sessions.count >= capacity { makeRoom(at: now) }
        sessions[id] = Session(grant: grant, method: method, expires: now + Self.milliseconds, refresh: refresh)
        refreshTokens[refresh] = id
    }

    /// Exchanges the refresh token with the hash `old` for `new`. Returns the session, or `nil` where the token is not
    /// known, has ended or was used before.
    public mutating func refresh(_ old: [UInt8], by new: [UInt8], at now: Int64) -> (id: String, session: Session)? {
        guard let id = refreshTokens[old], var session = self[id, at: now] else { return nil }
        guard session.refresh == old else {
            end(id)
            return nil
        }
        session.former.append(old)
        if session.former.count > Self.formerLimit { refreshTokens[session.former.removeFirst()] = nil }
        session.refresh = new
        session.expires = now + Self.milliseconds
        sessions[id] = session
        refreshTokens[new] = id
        return (id, session)
    }

    /// The session to which the refresh token with this hash belongs.
    public func id(ofRefresh hash: [UInt8]) -> String? { refreshTokens[hash] }

    /// Ends a session. False where there is none.
    @discardableResult public mutating func end(_ id: String) -> Bool {
        refreshTokens = refreshTokens.filter { $0.value != id }
        return sessions.removeValue(forKey: id) != nil
    }

    /// Ends the sessions for which `update` gives nothing, and changes what the others are given.
    mutating func reconcile(_ update: (Session) -> AccessPolicy.Grant?) {
        for (id, session) in sessions {
            if let grant = update(session) { sessions[id]?.grant = grant } else { end(id) }
        }
    }

    private mutating func makeRoom(at now: Int64) {
        for (id, session) in sessions where session.expires <= now { end(id) }
        guard sessions.count >= capacity, let first = sessions.min(by: { $0.value.expires < $1.value.expires }) else {
            return
        }
        end(first.key)
    }
}
