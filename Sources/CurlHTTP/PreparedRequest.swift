internal import CCurl
internal import Synchronization

/// A request that is sent repeatedly: checked and converted to libcurl's form once. May be shared between threads.
///
/// `@unchecked`: only an atomic changes after `init`, and libcurl only reads the lists.
@safe public final class PreparedRequest: @unchecked Sendable {
    /// The request.
    public let request: HTTPRequest
    /// The URL for libcurl.
    let url: String
    let headerList: UnsafeMutablePointer<curl_slist>?
    let proxyHeaderList: UnsafeMutablePointer<curl_slist>?
    /// `nil` if libcurl handles the whole exchange.
    let plain: PlainRequest?
    /// Whether the target has redirected this request, which libcurl follows.
    let isRedirected = Atomic(false)
    /// The host to connect to instead of the URL's (`name:port:host:port`).
    let connectToList: UnsafeMutablePointer<curl_slist>?

    /// Throws if the request cannot be sent.
    public init(_ request: HTTPRequest) throws(HTTPFailure) {
        try Self.refuseControlCharacters(request)
        self.request = request
        let address = try Self.address(of: request)
        url = address.url
        plain = PlainRequest(request)
        unsafe headerList = unsafe Self.list(Self.lines(request, host: address.host))
        unsafe proxyHeaderList = unsafe Self.list(request.proxyHeaders.map { "\($0.name): \($0.value)" })
        unsafe connectToList = unsafe Self.list(address.connectTo.map { [$0] } ?? [])
    }

    deinit {
        unsafe curl_slist_free_all(headerList)
        unsafe curl_slist_free_all(proxyHeaderList)
        unsafe curl_slist_free_all(connectToList)
    }

    /// Whether a handle prepared for `other` needs only another URL, header and timeout.
    func differsOnlyInAddress(from other: PreparedRequest) -> Bool {
        unsafe request.method == "GET" && other.request.method == "GET" && request.body.isEmpty
            && other.request.body.isEmpty && connectToList == nil && other.connectToList == nil
            && request.maximumRedirects == other.request.maximumRedirects
            && request.unixSocket == other.request.unixSocket && request.proxy == other.request.proxy
            && request.proxyExceptions == other.request.proxyExceptions && request.proxyHeaders.isEmpty
            && other.request.proxyHeaders.isEmpty && request.allowsHTTP2 == other.request.allowsHTTP2
            && request.requiresHTTP2 == other.request.requiresHTTP2
            && request.confidentialHeaders == other.request.confidentialHeaders && request.tls == other.request.tls
    }

    private static func list(_ lines: [String]) -> UnsafeMutablePointer<curl_slist>? {
        var list: UnsafeMutablePointer<curl_slist>?
        for line in lines {
            // Without memory the list stays unchanged.
            unsafe list = unsafe curl_slist_append(list, line) ?? list
        }
        return unsafe list
    }

    /// libcurl takes the name for SNI and verification from the URL. For another `serverName`, the URL has that name,
    /// and the connection and `Host` use the real host.
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

    /// Rejects text that libcurl cannot take as a C string, or that would break the request head.
    private static func refuseControlCharacters(_ request: HTTPRequest) throws(HTTPFailure) {
        let isControl = { (byte: UInt8) in byte < 0x20 && byte != 0x09 || byte == 0x7f }
        let isToken = { (byte: UInt8) in
            byte > 0x20 && byte < 0x7f && !"()<>@,;:\\\"/[]?={}".utf8.contains(byte)
        }
        if request.url.utf8.contains(where: isControl) { throw HTTPFailure(.badURL, "control character in the URL") }
        guard !request.method.isEmpty, request.method.utf8.allSatisfy(isToken) else {
            throw HTTPFailure(.badRequest, "not a method: \(request.method)")
        }
        for field in request.headers + request.proxyHeaders {
            guard !field.name.isEmpty, field.name.utf8.allSatisfy(isToken), !field.value.utf8.contains(where: isControl)
            else { throw HTTPFailure(.badRequest, "not a header field: \(field.name)") }
        }
    }
}
