/// Logins in a browser that have begun at an issuer and not come back. A machine without a clock.
struct PendingLogins: Equatable {
    /// One login.
    struct Login: Equatable {
        /// The issuer.
        var issuer: String
        /// The nonce that the issuer must put into its token.
        var nonce: String
        /// The proof that the sender of the request exchanges the code (RFC 7636).
        var verifier: String
        /// When it ends, in milliseconds since the epoch.
        var expires: Int64
    }

    private var logins: [String: Login] = [:]
    private static let capacity = 1000
    static let milliseconds: Int64 = 10 * 60_000

    /// A login has begun under `state`.
    mutating func begin(_ state: String, _ issuer: String, nonce: String, verifier: String, at now: Int64) {
        if logins.count >= Self.capacity {
            logins = logins.filter { $0.value.expires > now }
            // At the limit, the oldest pending login is dropped.
            if logins.count >= Self.capacity, let oldest = logins.min(by: { $0.value.expires < $1.value.expires }) {
                logins[oldest.key] = nil
            }
        }
        logins[state] = Login(issuer: issuer, nonce: nonce, verifier: verifier, expires: now + Self.milliseconds)
    }

    /// A browser has come back with `state`: each counts once.
    mutating func take(_ state: String, at now: Int64) -> Login? {
        guard let login = logins.removeValue(forKey: state), login.expires > now else { return nil }
        return login
    }
}
