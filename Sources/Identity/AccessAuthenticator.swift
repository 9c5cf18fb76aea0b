internal import Runtime
public import WebServer

/// Asks ``AccessControl`` before the passwords of the web configuration: a client with a proved identity needs no
/// password, and failed passwords cause lockouts. Adds security headers to every response.
public final class AccessAuthenticator: HTTPAuthenticator, Sendable {
    private let accessControl: AccessControl
    private let passwords: (any HTTPAuthenticator)?

    /// Headers that restrict the use of a response in browsers. A handler or the web configuration may replace them.
    public static let securityHeaders: [(name: String, value: String)] = [
        ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "deny"), ("Referrer-Policy", "no-referrer"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    ]

    /// - Parameter passwords: the web configuration; `nil` for none.
    public init(_ accessControl: AccessControl, passwords: (any HTTPAuthenticator)?) {
        self.accessControl = accessControl
        self.passwords = passwords
    }

    /// The configured headers, and those security headers that they do not replace.
    public var responseHeaders: [(name: String, value: String)] {
        guard let configured = passwords?.responseHeaders, !configured.isEmpty else { return Self.securityHeaders }
        return configured
            + Self.securityHeaders.filter { header in
                !configured.contains { $0.name.lowercased() == header.name.lowercased() }
            }
    }

    /// The decision unless a password's hash has to be computed or a token looked at.
    public func quickDecision(_ request: HTTPServerRequest) -> HTTPDecision? {
        guard let passwords else { return .admit(identity: nil) }
        return accessControl.showsOtherProof(request) ? nil : decision(request, passwords.quickDecision)
    }

    /// The decision; may take as long as a password's hash, or some seconds for the keys of an issuer.
    public func decide(_ request: HTTPServerRequest) -> HTTPDecision {
        guard let passwords else { return .admit(identity: nil) }
        if accessControl.showsOtherProof(request), accessControl.recognizes(request) { return .admit(identity: nil) }
        return decision(request, passwords.decide) ?? .admit(identity: nil)
    }

    private func decision(
        _ request: HTTPServerRequest, _ ask: (HTTPServerRequest) -> HTTPDecision?
    ) -> HTTPDecision? {
        let policy = accessControl.policy
        let source = RequestSource(request, proxies: policy.trustedProxies)
        guard let (user, _) = request.basicCredentials else { return ask(request) }
        do throws(Refusal) {
            // Before the hash of a password is computed for it.
            try accessControl.checkBlock(accessControl.nobody(request), policy)
            try accessControl.checkLockout(AccessControl.lockoutKey(user, source.address))
        } catch {
            var response = HTTPServerResponse.text(error.message + "\n", status: 429)
            response.headers.append(("Retry-After", "\(error.retryAfterSeconds ?? 1)"))
            return .refuse(response)
        }
        let decision = ask(request)
        switch decision {
        case .refuse(let response) where response.status == 401:
            accessControl.failed(user, source.address, policy)
            accessControl.observed(
                .failedLogin, request[header: "Authorization"] ?? "", of: accessControl.nobody(request))
        case .admit(.some): accessControl.succeeded(user, source.address)
        case .admit, .refuse, nil: break
        }
        return decision
    }
}
