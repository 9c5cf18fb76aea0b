public import Identity
public import WebCore
internal import WebServer

/// Logins in a browser.
extension TribuneAPI {
    var loginEndpoints: [Endpoint] {
        [
            .response(
                [.get], "/login", "Leads a browser to the issuer at which people log in.", permission: .probe,
                parameters: [.optional("issuer", .string, "The issuer, where there are several.")], response: .redirect,
                isSlow: true, beginLogin),
            .response(
                [.get], "/login/callback", "Takes a browser back from its login.", permission: .probe,
                parameters: [
                    .optional("code", .string, "The code of the issuer."),
                    .optional("state", .string, "The state that the login began with."),
                    .optional("error", .string, "Why the issuer refuses."),
                ], response: .redirect, isSlow: true, finishLogin),
            .response(
                [.post], "/logout", "Ends the session of a browser.", permission: .session, response: .redirect, logOut),
        ]
    }

    private func beginLogin(_ call: APIRequest) -> HTTPServerResponse {
        guard let login = sources.login else { return .text("nobody can log in here\n", status: 404) }
        let wanted = call["issuer"]
        guard let issuer = wanted.isEmpty ? login.accessControl.loginIssuers.first : wanted,
            let begin = login.accessControl.beginLogin(at: issuer, callback: login.callback)
        else { return .text("the issuer is not known or does not answer\n", status: 404) }
        let cookie =
            "\(AccessControl.loginCookie)=\(begin.state); Path=\(login.path)/login; Max-Age=600; \(login.attributes)"
        return HTTPServerResponse(
            status: 302, headers: [("Location", begin.location), ("Set-Cookie", cookie), ("Cache-Control", "no-store")])
    }

    private func finishLogin(_ call: APIRequest) -> HTTPServerResponse {
        guard let login = sources.login else { return .text("nobody can log in here\n", status: 404) }
        let state = call["state"]
        // Without the cookie somebody could make a browser finish the login of somebody else.
        guard !state.isEmpty, AccessControl.cookie(AccessControl.loginCookie, call.request) == state else {
            return .text("this login did not begin in this browser\n", status: 403)
        }
        do throws(Refusal) {
            let secret = try login.accessControl.finishLogin(code: call["code"], state: state, callback: login.callback)
            let path = login.path.isEmpty ? "/" : login.path
            return HTTPServerResponse(
                status: 302,
                headers: [
                    ("Location", "\(login.path)/ui/"), ("Cache-Control", "no-store"),
                    ("Set-Cookie", "tribune_session=\(secret); Path=\(path); Max-Age=86400; \(login.attributes)"),
                ])
        } catch {
            return .text(error.message + "\n", status: 403)
        }
    }

    private func logOut(_ call: APIRequest) -> HTTPServerResponse {
        guard let login = sources.login else { return .text("nobody can log in here\n", status: 404) }
        _ = login.accessControl.logOut(call.request)
        let path = login.path.isEmpty ? "/" : login.path
        return HTTPServerResponse(
            status: 303,
            headers: [
                ("Location", "\(login.path)/ui/"),
                ("Set-Cookie", "tribune_session=; Path=\(path); Max-Age=0; \(login.attributes)"),
            ])
    }
}

/// Logins of browsers. Provided by the composition root.
public struct LoginSources: Sendable {
    let accessControl: AccessControl
    /// The URL to which an issuer sends a browser back.
    let callback: String
    /// The path of the external URL.
    let path: String
    /// The attributes of every cookie: not readable by scripts, not sent with requests of other sites, and not over
    /// plain connections if the server is reached over TLS.
    let attributes: String

    /// Logins for a server that users reach under `url`.
    public init(_ accessControl: AccessControl, _ url: ExternalURL) {
        self.accessControl = accessControl
        callback = url.text + "/login/callback"
        path = url.path
        attributes = "HttpOnly; SameSite=Lax" + (url.text.hasPrefix("https://") ? "; Secure" : "")
    }
}
