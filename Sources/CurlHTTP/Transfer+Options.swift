internal import CCurl

extension Transfer {
    /// Sets every option of a request on the handle.
    func apply(_ prepared: PreparedRequest, _ purpose: Purpose) {
        let request = prepared.request
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_CONNECT_ONLY, purpose == .connection ? 1 : 0)
        // Otherwise ending a transfer waits for host name resolution, which may take long.
        set(CURLOPT_QUICK_EXIT, 1)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
        let version = request.allowsHTTP2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1
        set(CURLOPT_HTTP_VERSION, request.requiresHTTP2 ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : version)
        set(CURLOPT_TCP_NODELAY, 1)
        // A body that has already arrived needs a quarter of the calls that libcurl's default needs.
        set(CURLOPT_BUFFERSIZE, 64 << 10)
        // libcurl sends all fields except Authorization and Cookie to any host.
        set(CURLOPT_FOLLOWLOCATION, request.maximumRedirects > 0 && request.confidentialHeaders.isEmpty ? 1 : 0)
        set(CURLOPT_MAXREDIRS, request.maximumRedirects)
        // Set even if empty: otherwise libcurl uses the environment's proxy and exceptions.
        set(CURLOPT_PROXY, request.proxy ?? "")
        set(CURLOPT_NOPROXY, request.proxyExceptions)
        if request.proxy != nil {
            set(CURLOPT_HEADEROPT, Int(CURLHEADER_SEPARATE))
            unsafe check(ccurl_set_list(handle, CURLOPT_PROXYHEADER, prepared.proxyHeaderList))
        }
        if let path = request.unixSocket { set(CURLOPT_UNIX_SOCKET_PATH, path) }
        applyMethod(request)
        unsafe check(request.tls.apply(to: handle))
        unsafe check(ccurl_set_list(handle, CURLOPT_CONNECT_TO, prepared.connectToList))
    }

    /// Sets the options that differ, besides the timeout, between requests with the same settings.
    func applyAddress(_ prepared: PreparedRequest) {
        set(CURLOPT_URL, prepared.url)
        unsafe check(ccurl_set_list(handle, CURLOPT_HTTPHEADER, prepared.headerList))
    }

    /// Sets the timeout; 0 for no limit.
    func applyTimeout(_ milliseconds: Int64) {
        let timeout = Int(clamping: max(0, milliseconds))
        set(CURLOPT_TIMEOUT_MS, timeout)
        set(CURLOPT_CONNECTTIMEOUT_MS, timeout)
    }

    private func set(_ option: CURLoption, _ value: Int) {
        unsafe check(ccurl_set_long(handle, option, value))
    }

    private func set(_ option: CURLoption, _ text: String) {
        unsafe check(ccurl_set_text(handle, option, text))
    }

    /// Methods that libcurl knows are set by its own options, so that it can change them after a redirect.
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
}
