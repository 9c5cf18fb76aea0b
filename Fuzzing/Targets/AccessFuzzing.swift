import Identity
import TLS
import WebConfiguration
import WebServer

/// What a client says about itself, and the file with TLS and passwords.
enum AccessFuzzing {
    private static let accessControl: AccessControl = {
        var issuer = TokenIssuer("https://idp.example")
        issuer.audiences = ["tribune"]
        issuer.nameClaim = "sub"
        issuer.defaultRoles = [.admin]
        let project = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        issuer.keyFile = "/\(project)/Fuzzing/keys.json"
        var policy = AccessPolicy()
        policy.issuers = [issuer]
        policy.limits = [:]
        policy.anomaly.threshold = 2
        return AccessControl(policy)
    }()

    /// Whether a request with this header gives an order from another machine.
    private static func isAdmitted(_ name: String, _ value: String) -> Bool {
        let request = HTTPServerRequest(
            method: "POST", path: "/", headers: [("Host", "localhost"), (name, value)], peer: "192.0.2.1")
        return (try? accessControl.admit(request, .order)) != nil
    }

    /// The input is a token, or header and claims of one, parted by a zero byte, which is then encoded.
    static func tokenFinding(in bytes: [UInt8]) -> String? {
        var token = String(decoding: bytes, as: UTF8.self)
        let parts = bytes.split(separator: 0, omittingEmptySubsequences: false)
        if parts.count > 1 {
            let signature = parts.count > 2 ? Array(parts[2]) : [UInt8](repeating: 1, count: 64)
            token = [Array(parts[0]), Array(parts[1]), signature].map { Base64URL.text($0) }.joined(separator: ".")
        }
        return isAdmitted("Authorization", "Bearer \(token)") ? "admitted: \(token)" : nil
    }

    static func cookieFinding(in bytes: [UInt8]) -> String? {
        let text = String(decoding: bytes, as: UTF8.self)
        let request = HTTPServerRequest(path: "/", headers: [("Cookie", text)])
        if let value = AccessControl.cookie(AccessControl.loginCookie, request) {
            if value.utf8.count > 200 || value.contains(";") { return "value \(value)" }
            let alone = HTTPServerRequest(path: "/", headers: [("Cookie", "\(AccessControl.loginCookie)=\(value)")])
            guard AccessControl.cookie(AccessControl.loginCookie, alone) == value else {
                return "not read back: \(value)"
            }
        }
        return isAdmitted("Cookie", text) ? "admitted" : nil
    }

    static func formFinding(in bytes: [UInt8]) -> String? {
        let fields = URLEncoding.fields(of: bytes[...])
        // Each malformed byte becomes a replacement character of three bytes.
        let size = fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        if size > 3 * bytes.count { return "\(size) bytes of \(bytes.count)" }
        let written = fields.map { "\(URLEncoding.escape($0.name))=\(URLEncoding.escape($0.value))" }.joined(
            separator: "&")
        let again = URLEncoding.fields(of: Array(written.utf8)[...])
        guard again.elementsEqual(fields, by: { $0 == $1 }) else { return "\(fields) becomes \(again)" }
        let request = HTTPServerRequest(
            method: "POST", path: "/", headers: [("Content-Type", "application/x-www-form-urlencoded")], body: bytes)
        return request.form.elementsEqual(fields, by: { $0 == $1 }) ? nil : "the form differs: \(request.form)"
    }

    static func webConfigurationFinding(in bytes: [UInt8]) -> String? {
        func read() -> Result<WebConfiguration, WebConfigurationError> {
            Result { () throws(WebConfigurationError) in try WebConfiguration(parsing: bytes, file: "web.yml") }
        }
        switch (read(), read()) {
        case (.success(let first), .success(let second)): return first == second ? nil : "read differently"
        case (.failure(let first), .failure(let second)):
            return first == second && first.description.contains("web.yml") ? nil : "\(first), then \(second)"
        case (.success, .failure(let error)), (.failure(let error), .success): return "once: \(error)"
        }
    }
}
