internal import WebServer

/// The permission that a client needs to call an ``Endpoint``.
public enum Permission: String, Sendable, CaseIterable {
    /// Ask whether the process works. Everybody may.
    case probe
    /// Read samples, rules, alerts, rollouts and the ledger.
    case read
    /// Write samples.
    case write
    /// Silence alerts, or send alerts.
    case alert
    /// Give orders to rollouts.
    case order
    /// Use the deployment gates.
    case gate
    /// Reload the configuration, or stop the process.
    case administer

    /// Whether endpoints with this permission change something, so that pages of other sites must not call them.
    var changesState: Bool {
        switch self {
        case .probe, .read: false
        // What gates show is of use to an attacker.
        case .write, .alert, .order, .gate, .administer: true
        }
    }
}

/// Decides whether a request has a ``Permission``. A value.
public struct Authorizer: Sendable {
    /// Why a request was refused.
    public struct Denial: Error, Equatable {
        /// Whether the client may try again with credentials.
        public var asksForCredentials: Bool
        /// Why.
        public var message: String
    }

    /// The token for orders, silences and alerts. Without it only clients on this machine may send them.
    public var commandToken: String?
    /// The token of the gates; `nil` refuses everybody.
    public var gateToken: @Sendable () -> String?

    /// An authorizer with these tokens.
    public init(commandToken: String? = nil, gateToken: @escaping @Sendable () -> String? = { nil }) {
        self.commandToken = commandToken
        self.gateToken = gateToken
    }

    func check(_ request: HTTPServerRequest, _ permission: Permission) throws(Denial) {
        if permission.changesState, !Self.isSameOrigin(request) {
            throw Denial(asksForCredentials: false, message: "requests from pages of other sites are refused")
        }
        switch permission {
        case .probe, .read, .write, .administer: return
        case .alert, .order: try checkCommandToken(request)
        case .gate: try checkGateToken(request)
        }
    }

    private func checkCommandToken(_ request: HTTPServerRequest) throws(Denial) {
        if let commandToken {
            if Self.isEqualSecret(request[header: "Authorization"] ?? "", "Bearer " + commandToken) { return }
            throw Denial(
                asksForCredentials: false,
                message: "this request needs the command token in the header \"Authorization: Bearer TOKEN\"")
        }
        if request.peer.hasPrefix("127.") || request.peer == "::1" { return }
        throw Denial(
            asksForCredentials: false,
            message: "no command token is configured, so that only clients on this machine may send this request")
    }

    private func checkGateToken(_ request: HTTPServerRequest) throws(Denial) {
        guard let token = gateToken() else {
            throw Denial(
                asksForCredentials: false,
                message: "no token is configured for the gates (gates.token_file), so that every request is refused")
        }
        guard let shown = request[header: "Authorization"] else {
            throw Denial(
                asksForCredentials: true, message: "the header \"Authorization: Bearer TOKEN\" is missing")
        }
        guard Self.isEqualSecret(shown, "Bearer " + token) else {
            throw Denial(asksForCredentials: true, message: "the token is not the token of the gates")
        }
    }

    /// Whether `request` comes from a page of this server, or from no page: a browser lets pages of other sites send
    /// requests that change something.
    static func isSameOrigin(_ request: HTTPServerRequest) -> Bool {
        guard let origin = request[header: "Origin"] else { return true }
        guard let host = request[header: "Host"] else { return false }
        return origin == "http://" + host || origin == "https://" + host
    }

    /// Compares two secrets in a time that does not depend on where they differ.
    static func isEqualSecret(_ left: String, _ right: String) -> Bool {
        let left = Array(left.utf8)
        let right = Array(right.utf8)
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
