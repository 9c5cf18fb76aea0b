/// Why a request is refused. A value.
public struct Refusal: Error, Equatable, Sendable {
    /// The kinds of refusal.
    public enum Kind: String, Sendable {
        /// The request needs credentials and has none.
        case credentialsMissing = "credentials_missing"
        /// The credentials are wrong, have expired or were revoked.
        case credentialsWrong = "credentials_wrong"
        /// The identity has no permission.
        case forbidden
        /// The request comes from a page of another site.
        case foreignPage = "foreign_page"
        /// The header `Host` has a name of another server.
        case foreignHost = "foreign_host"
        /// The client sends too many requests.
        case tooManyRequests = "too_many_requests"
        /// The client is locked out after failed logins.
        case lockedOut = "locked_out"
        /// The client behaves like an attacker.
        case blocked
    }

    /// The kind of refusal.
    public var kind: Kind
    /// The problem and the remedy, without secrets.
    public var message: String
    /// Seconds to wait before another attempt.
    public var retryAfterSeconds: Int?

    /// A refusal.
    public init(_ kind: Kind, _ message: String, retryAfterSeconds: Int? = nil) {
        self.kind = kind
        self.message = message
        self.retryAfterSeconds = retryAfterSeconds
    }
}
