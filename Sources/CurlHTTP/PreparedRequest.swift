internal import CCurl

/// A request that is sent again and again: checked, and its header put into libcurl's form, once. May be shared between threads.
///
/// `@unchecked`: nothing changes after `init`, and libcurl only reads the lists.
@safe public final class PreparedRequest: @unchecked Sendable {
    /// What was prepared.
    public let request: HTTPRequest
    /// The URL that libcurl is given.
    let url: String
    let headerList: UnsafeMutablePointer<curl_slist>?
    /// The host to connect to instead of the URL's (`name:port:host:port`).
    let connectToList: UnsafeMutablePointer<curl_slist>?

    /// Fails where the request cannot be sent as it is.
    public init(_ request: HTTPRequest) throws(HTTPFailure) {
        try Self.refuseControlCharacters(request)
        self.request = request
        let address = try Self.address(of: request)
        url = address.url
        unsafe headerList = unsafe Self.list(Self.lines(request, host: address.host))
        unsafe connectToList = unsafe Self.list(address.connectTo.map { [$0] } ?? [])
    }

    deinit {
        unsafe curl_slist_free_all(headerList)
        unsafe curl_slist_free_all(connectToList)
    }

    /// Whether a handle that is set up for `other` needs nothing but another URL, header and timeout.
    func differsOnlyInAddress(from other: PreparedRequest) -> Bool {
        unsafe request.method == "GET" && other.request.method == "GET" && request.body.isEmpty
            && other.request.body.isEmpty && connectToList == nil && other.connectToList == nil
            && request.maximumRedirects == other.request.maximumRedirects
            && request.unixSocket == other.request.unixSocket && request.proxy == other.request.proxy
            && request.tls == other.request.tls
    }

    private static func list(_ lines: [String]) -> UnsafeMutablePointer<curl_slist>? {
        var list: UnsafeMutablePointer<curl_slist>?
        for line in lines {
            // Where there is no memory the list stays as it is.
            unsafe list = unsafe curl_slist_append(list, line) ?? list
        }
        return unsafe list
    }

    /// libcurl takes the name for SNI and verification from the URL. For another `serverName` the URL gets that name, the
    /// connection goes to the real host, and `Host` keeps the real host too.
    private static func address(
        of request: HTTPRequest
    ) throws(HTTPFailure) -> (url: String, host: String?, connectTo: String?) {
        guard let location = Location(request.url) else {
            throw HTTPFailure(.badURL, "not a URL: \"\(request.url)\"")
        }
        guard let serverName = request.tls.serverName, location.scheme == "https", serverName != location.host else {
            return (request.url, nil, nil)
        }
        guard let url = location.url(withHost: serverName) else {
            throw HTTPFailure(.badRequest, "not a server name: \"\(serverName)\"")
        }
        return (url, location.authority, "\(serverName):\(location.port):\(location.host):\(location.port)")
    }

    private static func lines(_ request: HTTPRequest, host: String?) -> [String] {
        func has(_ name: String) -> Bool { request.headers.contains { $0.name.lowercased() == name } }
        var lines = request.headers.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
        if let host, !has("host") { lines.append("Host: \(host)") }
        if !has("user-agent") { lines.append("User-Agent: Tribune") }
        lines.append("Expect:")
        if !has("content-type") { lines.append("Content-Type:") }
        if !has("accept") { lines.append("Accept: */*") }
        return lines
    }

    /// Text that libcurl takes as a C string, or that would break the head of the request apart.
    private static func refuseControlCharacters(_ request: HTTPRequest) throws(HTTPFailure) {
        let isControl = { (byte: UInt8) in byte < 0x20 && byte != 0x09 || byte == 0x7f }
        let isToken = { (byte: UInt8) in
            byte > 0x20 && byte < 0x7f && !"()<>@,;:\\\"/[]?={}".utf8.contains(byte)
        }
        if request.url.utf8.contains(where: isControl) { throw HTTPFailure(.badURL, "control character in the URL") }
        guard !request.method.isEmpty, request.method.utf8.allSatisfy(isToken) else {
            throw HTTPFailure(.badRequest, "not a method: \(request.method)")
        }
        for field in request.headers {
            guard !field.name.isEmpty, field.name.utf8.allSatisfy(isToken), !field.value.utf8.contains(where: isControl)
            else { throw HTTPFailure(.badRequest, "not a header field: \(field.name)") }
        }
    }
}

/// A URL in its parts.
private struct Location {
    var scheme: String
    /// IPv6 addresses stand in brackets.
    var host: String
    var port: String
    /// Host and, where it is not the scheme's own, port.
    var authority: String
    private let text: String

    init?(_ text: String) {
        guard let parts = unsafe curl_url() else { return nil }
        defer { unsafe curl_url_cleanup(parts) }
        guard unsafe curl_url_set(parts, CURLUPART_URL, text, 0) == CURLUE_OK,
            let scheme = unsafe Self.part(parts, CURLUPART_SCHEME), let host = unsafe Self.part(parts, CURLUPART_HOST),
            let port = unsafe Self.part(parts, CURLUPART_PORT, flags: UInt32(CURLU_DEFAULT_PORT))
        else { return nil }
        self.text = text
        self.scheme = scheme
        self.host = host
        self.port = port
        self.authority = unsafe Self.part(parts, CURLUPART_PORT).map { "\(host):\($0)" } ?? host
    }

    func url(withHost name: String) -> String? {
        guard let parts = unsafe curl_url() else { return nil }
        defer { unsafe curl_url_cleanup(parts) }
        guard unsafe curl_url_set(parts, CURLUPART_URL, text, 0) == CURLUE_OK,
            unsafe curl_url_set(parts, CURLUPART_HOST, name, 0) == CURLUE_OK
        else { return nil }
        return unsafe Self.part(parts, CURLUPART_URL)
    }

    private static func part(_ parts: OpaquePointer, _ part: CURLUPart, flags: UInt32 = 0) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard unsafe curl_url_get(parts, part, &text, flags) == CURLUE_OK, let text = unsafe text else { return nil }
        defer { unsafe curl_free(text) }
        return unsafe String(cString: text)
    }
}
