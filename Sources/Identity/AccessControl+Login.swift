internal import CurlHTTP
internal import JSON
internal import Runtime
internal import Synchronization
internal import TLS
public import WebServer

/// Logins in a browser by OpenID Connect: authorization code with PKCE (RFC 6749, RFC 7636, RFC 9700).
extension AccessControl {
    /// The cookie of a session.
    static let sessionCookie = "tribune_session"
    /// The cookie that ties a login to the browser that began it.
    public static let loginCookie = "tribune_login"

    /// The issuers that offer login, by name.
    public var loginIssuers: [String] { policy.issuers.filter { $0.client != nil }.map(\.issuer) }

    /// Where a browser begins its login, and the state that it has to bring back; `nil` where the issuer is not known
    /// or does not answer. May take some seconds.
    ///
    /// - Parameter callback: The URL to which the issuer sends the browser back.
    public func beginLogin(at name: String, callback: String) -> (location: String, state: String)? {
        guard let keys = issuerKeys(name), let client = keys.issuer.client, let metadata = keys.metadata(),
            let state = Self.random(32), let nonce = Self.random(32), let verifier = Self.random(32)
        else { return nil }
        self.state.withLock {
            $0.logins.begin(state, name, nonce: nonce, verifier: verifier, at: SystemClock.wallMilliseconds())
        }
        let parameters = [
            ("response_type", "code"), ("client_id", client.id), ("redirect_uri", callback), ("state", state),
            ("scope", (["openid"] + client.scopes).joined(separator: " ")), ("nonce", nonce),
            ("code_challenge", Base64URL.text(SHA256.hash(verifier))), ("code_challenge_method", "S256"),
        ]
        let mark = metadata.authorization.contains("?") ? "&" : "?"
        return (metadata.authorization + mark + Self.form(parameters), state)
    }

    /// The secret of a new session for the browser that came back with `code`. Throws why there is none. May take some
    /// seconds.
    public func finishLogin(code: String, state: String, callback: String) throws(Refusal) -> String {
        let now = SystemClock.wallMilliseconds()
        guard let login = self.state.withLock({ $0.logins.take(state, at: now) }), let keys = issuerKeys(login.issuer),
            let client = keys.issuer.client, let metadata = keys.metadata()
        else { throw Refusal(.credentialsWrong, "this login is not known, has ended or was used before") }
        let text = try idToken(code, login, client, metadata, keys, callback)
        guard let token = JSONWebToken(text), token.claims["nonce"]?.text == login.nonce else {
            throw Refusal(.credentialsWrong, "the issuer's token is not for this login")
        }
        let grant: AccessPolicy.Grant
        do throws(TokenIssuer.Fault) {
            grant = try keys.issuer.grant(of: token, at: now / 1000, audiences: [client.id]).grant
        } catch {
            throw Refusal(.credentialsWrong, "the issuer's token is refused: \(error.reason)")
        }
        guard keys.verifies(token) else {
            throw Refusal(.credentialsWrong, "the issuer's token is refused: no key of its issuer has signed it")
        }
        guard let id = Self.random(16), let secret = Self.random(32) else {
            throw Refusal(.credentialsWrong, "there are no random numbers for a session")
        }
        let isThere = self.state.withLock { state in
            state.sessions.begin(id, grant, .session, .issuer(keys.issuer), refresh: SHA256.hash(secret), at: now)
            return confirm(id, &state)
        }
        guard isThere else { throw Refusal(.credentialsWrong, "the issuer's configuration has changed; log in again") }
        return secret
    }

    private func idToken(
        _ code: String, _ login: PendingLogins.Login, _ client: TokenIssuer.Client, _ metadata: IssuerKeys.Metadata,
        _ keys: IssuerKeys, _ callback: String
    ) throws(Refusal) -> String {
        var request = keys.request(metadata.token)
        request.method = "POST"
        request.headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")]
        var parameters = [
            ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", callback),
            ("code_verifier", login.verifier),
        ]
        if client.secret.isEmpty {
            parameters.append(("client_id", client.id))
        } else {
            request.authorize(user: URLEncoding.escape(client.id), password: URLEncoding.escape(client.secret))
        }
        request.body = Array(Self.form(parameters).utf8)
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try HTTPClient().send(request)
        } catch {
            throw Refusal(.credentialsWrong, "the issuer does not answer")
        }
        guard response.status == 200, case .some(let json) = try? JSON(parsing: response.body),  // no token in it
            let text = json["id_token"]?.text
        else { throw Refusal(.credentialsWrong, "the issuer gives no token for this login") }
        return text
    }

    private static func form(_ parameters: [(String, String)]) -> String {
        parameters.map { "\(URLEncoding.escape($0.0))=\(URLEncoding.escape($0.1))" }.joined(separator: "&")
    }

    /// Ends the session of a browser. False where there is none.
    public func logOut(_ request: HTTPServerRequest) -> Bool {
        Self.cookie(Self.sessionCookie, request).map { revokeTokens($0) } ?? false
    }

    /// Whether the request has the cookie of a session, whatever it asks for.
    func hasBrowserSession(_ request: HTTPServerRequest) -> Bool { session(of: request) != nil }

    private func session(of request: HTTPServerRequest) -> Sessions.Session? {
        guard let secret = Self.cookie(Self.sessionCookie, request) else { return nil }
        let now = SystemClock.wallMilliseconds()
        let session = state.withLock { state in
            state.sessions.id(ofRefresh: SHA256.hash(secret)).flatMap { state.sessions[$0, at: now] }
        }
        return session?.method == .session ? session : nil
    }

    /// The session of a browser. A page of another site cannot use it: for changes the request has to say that a page
    /// of this server sends it.
    func browserSession(
        _ request: HTTPServerRequest, _ permission: Permission, _ policy: AccessPolicy
    ) throws(Refusal) -> AccessPolicy.Grant? {
        guard let session = session(of: request) else { return nil }
        guard !permission.changesState || PageOrigin.isOwn(request, external: policy.externalOrigin) else {
            throw Refusal(.foreignPage, "a session counts only for requests of this server's pages")
        }
        return session.grant
    }

    /// The value of a cookie; `nil` where there is none.
    public static func cookie(_ name: String, _ request: HTTPServerRequest) -> String? {
        for header in request.headers where header.name.lowercased() == "cookie" {
            for pair in header.value.split(separator: ";") {
                let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
                if parts.count == 2, parts[0] == name, parts[1].utf8.count <= 200 { return String(parts[1]) }
            }
        }
        return nil
    }
}
