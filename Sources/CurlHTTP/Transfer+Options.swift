internal import CCurl

extension Transfer {
    /// Sets every option of a request on the handle.
    func apply(_ prepared: PreparedRequest, _ purpose: Purpose) {
        let request = prepared.request
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_CONNECT_ONLY, purpose == .connection ? 1 : 0)
        // Otherwise ending a transfer waits for the resolution of the host name, which may take long.
        set(CURLOPT_QUICK_EXIT, 1)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
        set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        set(CURLOPT_TCP_NODELAY, 1)
        // A body that is there already is taken with a quarter of the calls that libcurl's default takes.
        set(CURLOPT_BUFFERSIZE, 64 << 10)
        set(CURLOPT_FOLLOWLOCATION, request.maximumRedirects > 0 ? 1 : 0)
        set(CURLOPT_MAXREDIRS, request.maximumRedirects)
        // Set even when empty: otherwise libcurl takes the environment's proxy and exceptions.
        set(CURLOPT_PROXY, request.proxy ?? "")
        set(CURLOPT_NOPROXY, "")
        if let path = request.unixSocket { set(CURLOPT_UNIX_SOCKET_PATH, path) }
        applyMethod(request)
        applyTLS(request.tls)
        unsafe check(ccurl_set_list(handle, CURLOPT_CONNECT_TO, prepared.connectToList))
    }

    /// Sets what differs, beside the timeout, between requests that share everything else.
    func applyAddress(_ prepared: PreparedRequest) {
        set(CURLOPT_URL, prepared.url)
        unsafe check(ccurl_set_list(handle, CURLOPT_HTTPHEADER, prepared.headerList))
    }

    /// Sets how long all may take; 0 for as long as it wants.
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
}
