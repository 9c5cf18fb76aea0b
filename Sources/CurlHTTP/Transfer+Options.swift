internal import CCurl

extension Transfer {
    /// Sets every option of `request` on the handle.
    func apply(_ request: HTTPRequest) throws(HTTPFailure) {
        try refuseControlCharacters(request)
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
        set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        set(CURLOPT_TCP_NODELAY, 1)
        set(CURLOPT_FOLLOWLOCATION, request.maximumRedirects > 0 ? 1 : 0)
        set(CURLOPT_MAXREDIRS, request.maximumRedirects)
        let timeout = Int(clamping: max(0, request.timeoutMilliseconds))
        set(CURLOPT_TIMEOUT_MS, timeout)
        set(CURLOPT_CONNECTTIMEOUT_MS, timeout)
        // Set even when empty: otherwise libcurl takes the environment's proxy.
        set(CURLOPT_PROXY, request.proxy ?? "")
        if let path = request.unixSocket { set(CURLOPT_UNIX_SOCKET_PATH, path) }
        applyMethod(request)
        try applyAddress(request)
        applyTLS(request.tls)
    }

    private func set(_ option: CURLoption, _ value: Int) {
        unsafe check(ccurl_set_long(handle, option, value))
    }

    private func set(_ option: CURLoption, _ text: String) {
        unsafe check(ccurl_set_text(handle, option, text))
    }

    private func set(_ option: CURLoption, _ bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        unsafe check(bytes.withUnsafeBytes { unsafe ccurl_set_blob(handle, option, $0.baseAddress, $0.count) })
    }

    /// Methods that libcurl knows are set by its own options, so that it can change them on a redirect.
    private func applyMethod(_ request: HTTPRequest) {
        switch (request.method, request.body.isEmpty) {
        case ("GET", true): set(CURLOPT_HTTPGET, 1)
        case ("HEAD", true): set(CURLOPT_NOBODY, 1)
        case ("POST", _): setBody(request.body)
        case (_, true): set(CURLOPT_CUSTOMREQUEST, request.method)
        case (_, false):
            setBody(request.body)
            set(CURLOPT_CUSTOMREQUEST, request.method)
        }
    }

    private func setBody(_ body: [UInt8]) {
        set(CURLOPT_POST, 1)
        unsafe check(body.withUnsafeBytes { unsafe ccurl_set_body(handle, $0.baseAddress, $0.count) })
    }

    /// Sets the URL and the header.
    ///
    /// libcurl takes the name for SNI and verification from the URL. For another `serverName` the URL gets that name, the
    /// connection goes to the real host, and `Host` keeps the real host too.
    private func applyAddress(_ request: HTTPRequest) throws(HTTPFailure) {
        guard let location = Location(request.url) else {
            throw HTTPFailure(.badURL, "not a URL: \"\(request.url)\"")
        }
        var headers = request.headers
        if let serverName = request.tls.serverName, location.scheme == "https", serverName != location.host {
            guard let url = location.url(withHost: serverName) else {
                throw HTTPFailure(.badRequest, "not a server name: \"\(serverName)\"")
            }
            set(CURLOPT_URL, url)
            setConnectTo("\(serverName):\(location.port):\(location.host):\(location.port)")
            if !headers.contains(where: { $0.name.lowercased() == "host" }) {
                headers.append(("Host", location.authority))
            }
        } else {
            set(CURLOPT_URL, request.url)
        }
        if !headers.contains(where: { $0.name.lowercased() == "user-agent" }) {
            headers.append(("User-Agent", "Tribune"))
        }
        var lines = headers.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
        lines.append("Expect:")
        if !headers.contains(where: { $0.name.lowercased() == "content-type" }) { lines.append("Content-Type:") }
        if !headers.contains(where: { $0.name.lowercased() == "accept" }) { lines.append("Accept: */*") }
        setHeaders(lines)
    }

    private func applyTLS(_ options: TLSOptions) {
        if options.insecureSkipVerify {
            set(CURLOPT_SSL_VERIFYPEER, 0)
            set(CURLOPT_SSL_VERIFYHOST, 0)
        }
        apply(options.authorities, file: CURLOPT_CAINFO, text: CURLOPT_CAINFO_BLOB)
        apply(options.certificate, file: CURLOPT_SSLCERT, text: CURLOPT_SSLCERT_BLOB)
        apply(options.key, file: CURLOPT_SSLKEY, text: CURLOPT_SSLKEY_BLOB)
        let minimum =
            switch options.minimumVersion {
            case .tls10: CURL_SSLVERSION_TLSv1_0
            case .tls11: CURL_SSLVERSION_TLSv1_1
            case .tls12: CURL_SSLVERSION_TLSv1_2
            case .tls13: CURL_SSLVERSION_TLSv1_3
            }
        let maximum =
            switch options.maximumVersion {
            case .tls10: CURL_SSLVERSION_MAX_TLSv1_0
            case .tls11: CURL_SSLVERSION_MAX_TLSv1_1
            case .tls12: CURL_SSLVERSION_MAX_TLSv1_2
            case .tls13: CURL_SSLVERSION_MAX_TLSv1_3
            case nil: CURL_SSLVERSION_MAX_NONE
            }
        set(CURLOPT_SSLVERSION, minimum | maximum)
    }

    private func apply(_ source: TLSOptions.Source?, file: CURLoption, text: CURLoption) {
        switch source {
        case .file(let path): set(file, path)
        case .text(let pem): set(text, pem.utf8)
        case nil: break
        }
    }

    /// Text that libcurl takes as a C string, or that would break the head of the request apart.
    private func refuseControlCharacters(_ request: HTTPRequest) throws(HTTPFailure) {
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
