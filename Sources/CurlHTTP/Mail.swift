internal import CCurl
internal import Glibc

/// A mail for an SMTP server. A value.
public struct Mail: Sendable {
    /// How the connection is encrypted.
    public enum Encryption: Equatable, Sendable {
        case none
        /// STARTTLS, which the server must offer.
        case startTLS
        /// TLS from the first byte.
        case implicit
    }

    /// The client's credentials. If the server offers no authentication, none is tried.
    public struct Credentials: Sendable {
        /// The user.
        public var user: String
        /// The password; for CRAM-MD5, the secret.
        public var password: String
        /// The authorization identity; usually empty.
        public var identity: String
        /// The mechanisms that may be used.
        public var mechanisms: [String]

        /// Credentials.
        public init(user: String, password: String, identity: String = "", mechanisms: [String]) {
            self.user = user
            self.password = password
            self.identity = identity
            self.mechanisms = mechanisms
        }
    }

    /// The server's name or address.
    public var host: String
    /// The server's port.
    public var port: String
    /// The client's name in EHLO.
    public var hello: String
    /// How the connection is encrypted.
    public var encryption: Encryption
    /// Certificates and versions.
    public var tls: TLSOptions
    /// How the client authenticates.
    public var credentials: Credentials?
    /// The sender's address, to which errors are sent.
    public var sender: String
    /// The recipients' addresses.
    public var recipients: [String]
    /// Header and body, with CRLF line ends.
    public var content: [UInt8]
    /// Timeout of the whole delivery.
    public var timeoutMilliseconds: Int64 = 30_000
    /// The addresses that may be connected to; `nil` for the policy of the process.
    public var outgoing: OutgoingPolicy?

    /// A mail.
    public init(
        host: String, port: String, hello: String, encryption: Encryption, tls: TLSOptions, credentials: Credentials?,
        sender: String, recipients: [String], content: [UInt8]
    ) {
        self.host = host
        self.port = port
        self.hello = hello
        self.encryption = encryption
        self.tls = tls
        self.credentials = credentials
        self.sender = sender
        self.recipients = recipients
        self.content = content
    }
}

/// Sends mails to SMTP servers, each over a connection of its own.
public enum MailClient {
    /// Sends `mail` and waits until the server has accepted it.
    public static func send(_ mail: Mail) throws(HTTPFailure) {
        let texts = [mail.host, mail.port, mail.hello, mail.sender] + mail.recipients
        guard texts.allSatisfy({ text in text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f } }) else {
            throw HTTPFailure(.badRequest, "blank or control character in an address")
        }
        guard let transfer = MailTransfer(mail) else { throw HTTPFailure(.other, "out of memory") }
        try transfer.run()
    }
}

/// A libcurl handle for one mail.
@safe private final class MailTransfer {
    private let mail: Mail
    private let handle: UnsafeMutableRawPointer
    private let reason: UnsafeMutablePointer<CChar>
    private var recipients: UnsafeMutablePointer<curl_slist>?
    private var connectTo: UnsafeMutablePointer<curl_slist>?
    private var sent = 0
    private var refusal: CURLcode = CURLE_OK
    private let connections: ConnectionCheck

    init?(_ mail: Mail) {
        guard ccurl_global_init() == CURLE_OK, let handle = unsafe curl_easy_init() else { return nil }
        self.mail = mail
        unsafe self.handle = unsafe handle
        unsafe reason = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe reason[0] = 0
        connections = unsafe ConnectionCheck(handle)
        connections.begin(policy: mail.outgoing, isEncrypted: mail.encryption != .none)
    }

    deinit {
        unsafe curl_easy_cleanup(handle)
        unsafe curl_slist_free_all(recipients)
        unsafe curl_slist_free_all(connectTo)
        unsafe reason.deallocate()
    }

    func run() throws(HTTPFailure) {
        unsafe check(ccurl_set_error_buffer(handle, reason))
        check(connections.install())
        let scheme = mail.encryption == .implicit ? "smtps" : "smtp"
        let host = mail.host.contains(":") && !mail.host.hasPrefix("[") ? "[\(mail.host)]" : mail.host
        set(CURLOPT_URL, "\(scheme)://\(host):\(mail.port)/\(mail.hello)")
        set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_PROXY, "")
        set(CURLOPT_TIMEOUT_MS, Int(mail.timeoutMilliseconds))
        set(CURLOPT_CONNECTTIMEOUT_MS, Int(mail.timeoutMilliseconds))
        set(CURLOPT_USE_SSL, mail.encryption == .startTLS ? Int(CURLUSESSL_ALL.rawValue) : 0)
        setTLS(mail.tls)
        if let credentials = mail.credentials {
            set(CURLOPT_USERNAME, credentials.user)
            set(CURLOPT_PASSWORD, credentials.password)
            set(CURLOPT_LOGIN_OPTIONS, credentials.mechanisms.map { "AUTH=\($0)" }.joined(separator: ";"))
            if !credentials.identity.isEmpty { set(CURLOPT_SASL_AUTHZID, credentials.identity) }
        }
        set(CURLOPT_MAIL_FROM, "<\(mail.sender)>")
        for address in mail.recipients {
            unsafe recipients = unsafe curl_slist_append(recipients, "<\(address)>") ?? recipients
        }
        unsafe check(ccurl_set_list(handle, CURLOPT_MAIL_RCPT, recipients))
        set(CURLOPT_UPLOAD, 1)
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe check(ccurl_set_upload(handle, MailTransfer.source, context, Int64(mail.content.count)))
        let code = refusal == CURLE_OK ? unsafe curl_easy_perform(handle) : refusal
        guard code == CURLE_OK else { throw failure(code) }
    }

    private static let source: ccurl_source = { bytes, size, count, context in
        guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
        let transfer = unsafe Unmanaged<MailTransfer>.fromOpaque(context).takeUnretainedValue()
        return unsafe transfer.copy(into: UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
    }

    private func copy(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, mail.content.count - sent)
        unsafe buffer.copyBytes(from: mail.content[sent..<sent + count])
        sent += count
        return count
    }

    private func failure(_ code: CURLcode) -> HTTPFailure {
        if let refused = connections.failure { return refused }
        let detail = unsafe String(cString: reason)
        let text = detail.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : detail
        let status = unsafe ccurl_status(handle)
        let place = "SMTP server \(mail.host):\(mail.port)"
        switch code {
        case CURLE_USE_SSL_FAILED:
            return HTTPFailure(.tls, "\(place): TLS is required but STARTTLS failed or is not offered: \(text)")
        case CURLE_LOGIN_DENIED: return HTTPFailure(.other, "\(place): authentication failed: \(text)")
        // 5yz is permanent: the same mail would be rejected again.
        case CURLE_SEND_ERROR where status >= 500, CURLE_WEIRD_SERVER_REPLY where status >= 500:
            return HTTPFailure(.badRequest, "\(place): refused with status \(status): \(text)")
        default: return HTTPFailure(.connect, "\(place): \(text)")
        }
    }

    private func check(_ code: CURLcode) {
        if code != CURLE_OK, refusal == CURLE_OK { refusal = code }
    }

    private func set(_ option: CURLoption, _ value: Int) { unsafe check(ccurl_set_long(handle, option, value)) }
    private func set(_ option: CURLoption, _ text: String) { unsafe check(ccurl_set_text(handle, option, text)) }

    private func setTLS(_ options: TLSOptions) {
        unsafe check(options.apply(to: handle))
        if let name = options.serverName, name != mail.host {
            // libcurl verifies the name in the URL. For another name, the URL has that name and the connection goes to
            // the host.
            set(CURLOPT_URL, "\(mail.encryption == .implicit ? "smtps" : "smtp")://\(name):\(mail.port)/\(mail.hello)")
            let list = unsafe curl_slist_append(nil, "\(name):\(mail.port):\(mail.host):\(mail.port)")
            unsafe connectTo = unsafe list
            unsafe check(ccurl_set_list(handle, CURLOPT_CONNECT_TO, list))
        }
    }
}
