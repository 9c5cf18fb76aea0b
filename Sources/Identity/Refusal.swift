/// Why a request is refused. A value.
public struct Refusal: Error, Equatable, Sendable {
    /// The kinds of reason.
    public enum Kind: String, Sendable {
        /// The request needs credentials and shows none.
        case credentialsMissing = "credentials_missing"
        /// The credentials are wrong, have expired or were revoked.
        case credentialsWrong = "credentials_wrong"
        /// The identity may not do that.
        case forbidden
        /// A page of another site sends the request.
        case foreignPage = "foreign_page"
        /// The header `Host` holds a name that is not this server's.
        case foreignHost = "foreign_host"
        /// The client sends too many requests.
        case tooManyRequests = "too_many_requests"
        /// The client is locked out after failed logins.
        case lockedOut = "locked_out"
    }

    /// The kind of reason.
    public var kind: Kind
    /// What is wrong, and what to do. Holds no secret.
    public var message: String
    /// Seconds after which another attempt makes sense.
    public var retryAfterSeconds: Int?

    /// A refusal.
    public init(_ kind: Kind, _ message: String, retryAfterSeconds: Int? = nil) {
        self.kind = kind
        self.message = message
        self.retryAfterSeconds = retryAfterSeconds
    }
}
