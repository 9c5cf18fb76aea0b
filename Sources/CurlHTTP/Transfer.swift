internal import CCurl
internal import Glibc

/// One libcurl easy handle and what a request and its answer need while it runs. Used by one thread at a time, reused for
/// many requests: the handle keeps its connections.
@safe final class Transfer {
    private enum Limit {
        static let headerBytes = 256 << 10
    }

    let handle: UnsafeMutableRawPointer
    private let reason: UnsafeMutablePointer<CChar>
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private var connectToList: UnsafeMutablePointer<curl_slist>?
    private var request = HTTPRequest(url: "")
    private var headers: [(name: String, value: String)] = []
    private var headerBytes = 0
    private var body: [UInt8] = []
    private var refusal: HTTPFailure?

    /// `nil` where libcurl has no memory.
    init?() {
        guard ccurl_global_init() == CURLE_OK, let handle = unsafe curl_easy_init() else { return nil }
        unsafe self.handle = unsafe handle
        unsafe reason = .allocate(capacity: Int(CURL_ERROR_SIZE))
    }

    deinit {
        unsafe curl_easy_cleanup(handle)
        unsafe curl_slist_free_all(headerList)
        unsafe curl_slist_free_all(connectToList)
        unsafe reason.deallocate()
    }

    /// Forgets the last request and sets the handle up for `request`.
    func prepare(_ request: HTTPRequest) throws(HTTPFailure) {
        reset()
        self.request = request
        body.reserveCapacity(min(request.expectedBodyBytes, request.maximumBodyBytes))
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe check(ccurl_set_error_buffer(handle, reason))
        unsafe check(ccurl_set_private(handle, context))
        unsafe check(ccurl_set_body_sink(handle, Transfer.bodySink, context))
        unsafe check(ccurl_set_header_sink(handle, Transfer.headerSink, context))
        try apply(request)
        if let refusal { throw refusal }
    }

    private func reset() {
        unsafe curl_easy_reset(handle)
        unsafe curl_slist_free_all(headerList)
        unsafe headerList = nil
        unsafe curl_slist_free_all(connectToList)
        unsafe connectToList = nil
        unsafe reason[0] = 0
        headers = []
        headerBytes = 0
        body = []
        refusal = nil
    }

    /// What came of the request, once libcurl is done with it.
    func outcome(_ code: CURLcode) -> Result<HTTPResponse, HTTPFailure> {
        defer { request = HTTPRequest(url: "") }
        if let refusal { return .failure(refusal) }
        guard code == CURLE_OK else { return .failure(failure(code)) }
        return .success(HTTPResponse(status: unsafe ccurl_status(handle), headers: headers, body: body))
    }

    /// Notes the first option that libcurl refuses.
    func check(_ code: CURLcode) {
        if code != CURLE_OK, refusal == nil { refusal = failure(code) }
    }

    /// Hands libcurl the header fields; it keeps the pointer until the next request.
    func setHeaders(_ lines: [String]) {
        for line in lines {
            guard let longer = unsafe curl_slist_append(headerList, line) else {
                refusal = HTTPFailure(.other, "out of memory")
                return
            }
            unsafe headerList = unsafe longer
        }
        unsafe check(ccurl_set_list(handle, CURLOPT_HTTPHEADER, headerList))
    }

    /// Connects to another host than the URL's (`name:port:host:port`).
    func setConnectTo(_ rule: String) {
        unsafe connectToList = unsafe curl_slist_append(nil, rule)
        unsafe check(ccurl_set_list(handle, CURLOPT_CONNECT_TO, connectToList))
    }

    private func failure(_ code: CURLcode) -> HTTPFailure {
        let detail = unsafe String(cString: reason)
        var text = detail.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : detail
        let systemError = unsafe ccurl_os_error(handle)
        if code == CURLE_COULDNT_CONNECT, systemError != 0 {
            text += ": " + (unsafe String(cString: strerror(systemError)))
        }
        return HTTPFailure(Self.kind(of: code), text)
    }

    private static func kind(of code: CURLcode) -> HTTPFailure.Code {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .resolve
        case CURLE_COULDNT_CONNECT, CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE: .connect
        case CURLE_OPERATION_TIMEDOUT: .timeout
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_ENGINE_INITFAILED,
            CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_USE_SSL_FAILED:
            .tls
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: .badURL
        default: .other
        }
    }
}

extension Transfer {
    private static let bodySink: ccurl_sink = { bytes, size, count, context in
        guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
        let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        return unsafe transfer.received(UnsafeRawBufferPointer(start: bytes, count: size * count))
    }

    private static let headerSink: ccurl_sink = { bytes, size, count, context in
        guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
        let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        return unsafe transfer.receivedHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
    }

    /// Taking fewer bytes than were offered makes libcurl give up.
    private func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard bytes.count <= request.maximumBodyBytes - body.count else {
            refusal = HTTPFailure(.bodyTooLarge, "the body exceeds the limit of \(request.maximumBodyBytes) bytes")
            return 0
        }
        unsafe body.append(contentsOf: bytes)
        return bytes.count
    }

    private func receivedHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
        headerBytes += bytes.count
        guard headerBytes <= Limit.headerBytes else {
            refusal = HTTPFailure(.other, "the header exceeds the limit of \(Limit.headerBytes) bytes")
            return 0
        }
        let line = unsafe String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            // A further answer begins, after a redirect or an interim one.
            headers = []
        } else if let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) {
            let value = line[line.utf8.index(after: colon)...]
            headers.append((String(line[..<colon]), Self.trimmed(value)))
        }
        return bytes.count
    }

    private static func trimmed(_ text: Substring) -> String {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a }
        let start = text.utf8.drop(while: isBlank)
        guard let last = start.lastIndex(where: { !isBlank($0) }) else { return "" }
        return String(decoding: start[...last], as: UTF8.self)
    }
}
