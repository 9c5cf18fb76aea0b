internal import ConfigurationFields
internal import CurlHTTP
internal import MetricModel
internal import Runtime
internal import TLS
internal import YAML

/// Mails over SMTP.
struct EmailIntegration: IntegrationSettings {
    static let kind = "email"

    enum Threading: Equatable, Sendable {
        case off
        /// All mails about a group form one conversation.
        case byGroup
        /// All mails about a group on one day form one conversation.
        case byDay
    }

    var sendsResolved: Bool
    var recipients: String
    var sender: String
    var hello: String
    var smarthost: SMTPAddress
    var user: String
    var password: HTTPSettings.Secret?
    var secret: HTTPSettings.Secret?
    var identity: String
    var headers: [NamedText]
    var html: String
    var text: String
    var encryption: Mail.Encryption
    var tls: TLSOptions
    var threading = Threading.off

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        let defaults = reader.global.smtp
        sendsResolved = try reader.sendsResolved(false)
        recipients = try reader.text("to")
        if recipients.isEmpty { throw reader.fault("missing to address in email config") }
        sender = try reader.text("from", or: defaults.from)
        hello = try reader.text("hello", or: defaults.hello)
        guard let smarthost = try SMTPAddress.optional("smarthost", of: &reader.fields) ?? defaults.smarthost else {
            throw reader.fault("no global SMTP smarthost set")
        }
        self.smarthost = smarthost
        if sender.isEmpty { throw reader.fault("no global SMTP from set") }
        user = try reader.text("auth_username", or: defaults.user)
        password = try reader.secret("auth_password") ?? defaults.password
        secret = try reader.secret("auth_secret") ?? defaults.secret
        identity = try reader.text("auth_identity", or: defaults.identity)
        html = try reader.text("html", or: #"{{ template "email.default.html" . }}"#)
        text = try reader.text("text")
        headers = []
        for header in try reader.texts("headers") {
            let name = MailText.canonicalName(header.name)
            guard !headers.contains(where: { $0.name == name }) else {
                throw reader.fault("duplicate header \"\(name)\" in email config")
            }
            headers.append(NamedText(name: name, text: header.text))
        }
        let requiresTLS = try reader.fields.optionalFlag("require_tls") ?? defaults.requiresTLS
        let isImplicit =
            try reader.fields.optionalFlag("force_implicit_tls") ?? defaults.implicitTLS ?? (smarthost.port == "465")
        encryption = isImplicit ? .implicit : requiresTLS ? .startTLS : .none
        tls = defaults.tls
        if let node = reader.fields.optional("tls_config") {
            tls = try TLSOptions(
                node, path: reader.fields.path(of: "tls_config"), file: reader.fields.file, directory: reader.directory)
        }
        try readThreading(&reader)
    }

    private mutating func readThreading(_ reader: inout IntegrationReader) throws(YAMLError) {
        guard let node = reader.fields.optional("threading") else { return }
        var fields = try FieldReader(node, path: reader.fields.path(of: "threading"), file: reader.fields.file)
        let isEnabled = try fields.optionalFlag("enabled") ?? false
        let date = try fields.optionalText("thread_by_date") ?? (isEnabled ? "" : "none")
        try fields.finish()
        guard isEnabled else { return }
        for name in ["References", "In-Reply-To"] where headers.contains(where: { $0.name == name }) {
            throw reader.fault("conflicting configuration: threading.enabled conflicts with custom \(name) header")
        }
        guard date == "none" || date == "daily" else {
            throw reader.fault("threading.thread_by_date must be either 'none' or 'daily'")
        }
        threading = date == "daily" ? .byDay : .byGroup
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        let from = try MailText.addresses(try delivery.text(sender), "from")
        guard from.count == 1 else {
            throw DeliveryFailure("must be exactly one 'from' address (got: \(from.count))", isRetryable: false)
        }
        let to = try MailText.addresses(try delivery.text(recipients), "to")
        let mail = Mail(
            host: smarthost.host, port: smarthost.port, hello: hello, encryption: encryption, tls: tls,
            credentials: try credentials(delivery), sender: from[0], recipients: to,
            content: Array(try content(delivery).utf8))
        try delivery.send(mail)
    }

    private func credentials(_ delivery: Delivery) throws(DeliveryFailure) -> Mail.Credentials? {
        guard !user.isEmpty else { return nil }
        if let password {
            // The credentials would be sent unencrypted.
            let isLocal = ["localhost", "127.0.0.1", "::1"].contains(smarthost.host)
            guard encryption != .none || isLocal else {
                throw DeliveryFailure(
                    "the password is not sent over an unencrypted connection to \(smarthost.host): set require_tls",
                    isRetryable: false)
            }
            return Mail.Credentials(
                user: user, password: try delivery.read(password, "auth_password"), identity: identity,
                mechanisms: ["PLAIN", "LOGIN"])
        }
        guard let secret else { throw DeliveryFailure("missing password for PLAIN auth mechanism", isRetryable: false) }
        return Mail.Credentials(
            user: user, password: try delivery.read(secret, "auth_secret"), mechanisms: ["CRAM-MD5"])
    }

    private func content(_ delivery: Delivery) throws(DeliveryFailure) -> String {
        var fields = headers
        for (name, text) in [
            ("Subject", #"{{ template "email.default.subject" . }}"#), ("To", recipients), ("From", sender),
        ] where !fields.contains(where: { $0.name == name }) {
            fields.append(NamedText(name: name, text: text))
        }
        var lines: [String] = []
        for field in fields.sorted(by: { $0.name < $1.name }) {
            lines.append("\(field.name): \(MailText.encodedWord(try delivery.text(field.text)))")
        }
        let now = SystemClock.wallMilliseconds()
        if !fields.contains(where: { $0.name == "Message-Id" }) {
            lines.append("Message-Id: <\(now * 1_000_000).\(UInt64.random(in: 0 ... .max))@\(MailText.hostName)>")
        }
        lines += threadFields(delivery, now)
        let boundary = String(
            (0..<60).map { _ in "0123456789abcdef".randomElement() ?? "0" })
        lines += [
            "Date: \(MailText.date(now))", "Content-Type: multipart/alternative;  boundary=\(boundary)",
            "MIME-Version: 1.0", "", "",
        ]
        var result = lines.joined(separator: "\r\n")
        var isFirst = true
        func add(_ type: String, _ body: String) {
            result += (isFirst ? "" : "\r\n") + "--\(boundary)\r\nContent-Transfer-Encoding: quoted-printable\r\n"
            result += "Content-Type: \(type); charset=UTF-8\r\n\r\n" + MailText.quotedPrintable(body)
            isFirst = false
        }
        if !text.isEmpty { add("text/plain", try delivery.text(text)) }
        // The preferred form comes last (RFC 2046, section 5.1.4).
        if !html.isEmpty { add("text/html", try delivery.html(html)) }
        return result + "\r\n--\(boundary)--\r\n"
    }

    /// There is no first mail of a conversation: all mails refer to the same id.
    private func threadFields(_ delivery: Delivery, _ now: Int64) -> [String] {
        guard threading != .off else { return [] }
        let day = threading == .byDay ? String(RFC3339.text(milliseconds: now).prefix(10)) : ""
        let root = "<alert-\(delivery.keyHash.prefix(16))-\(day)@alertmanager>"
        return ["References: \(root)", "In-Reply-To: \(root)"]
    }
}
