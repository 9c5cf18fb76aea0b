internal import CCurl
internal import Glibc
internal import Runtime

/// A libcurl easy handle and the state of its request. Used by one thread at a time and for many requests: the handle
/// keeps its connections.
@safe final class Transfer {
    enum Limit {
        static let headerBytes = 256 << 10
    }

    /// The task of libcurl.
    enum Purpose {
        case exchange
        /// Only connect. The socket then gets another owner.
        case connection
    }

    let handle: UnsafeMutableRawPointer
    /// The address that the request was sent to first; empty if it was not sent.
    var firstAddress: String { connections.firstAddress }
    private let reason: UnsafeMutablePointer<CChar>
    /// The request of the handle. libcurl reads its lists.
    private var prepared: PreparedRequest?
    private var head = HTTPHead()
    private var headBytes = 0
    private var body: ReceivedBody
    private var purpose = Purpose.exchange
    private var timeoutMilliseconds: Int64 = -1
    private var refusal: HTTPFailure?
    private let connections: ConnectionCheck
    /// Whether the handle can be used for another request. After a failure libcurl may keep its buffer, and then
    /// refuses to set the size of the buffer for the next request.
    private(set) var isReusable = true
    /// Called about once a second. True ends the transfer.
    private var isCancelled: (() -> Bool)?
    /// Takes the body instead of ``body``. False ends the transfer.
    private var receiver: ((_ status: Int, [UInt8]) -> Bool)?

    /// `nil` if libcurl has no memory.
    init?(_ buffers: BodyBuffers) {
        guard ccurl_global_init() == CURLE_OK, let handle = unsafe curl_easy_init() else { return nil }
        body = ReceivedBody(buffers)
        unsafe self.handle = unsafe handle
        unsafe reason = .allocate(capacity: Int(CURL_ERROR_SIZE))
        connections = unsafe ConnectionCheck(handle)
    }

    deinit {
        unsafe curl_easy_cleanup(handle)
        unsafe reason.deallocate()
    }

    /// Clears the last request and prepares the handle for `next`. Options that both share are not set again.
    ///
    /// - Parameters:
    ///   - expectedBodyBytes: the expected size of the body.
    ///   - timeoutMilliseconds: the rest of the request's own timeout; `nil` for all of it.
    func prepare(
        _ next: PreparedRequest, _ purpose: Purpose = .exchange, expectedBodyBytes: Int,
        timeoutMilliseconds timeout: Int64? = nil
    ) throws(HTTPFailure) {
        unsafe reason[0] = 0
        head = HTTPHead()
        headBytes = 0
        refusal = nil
        connections.begin(policy: next.request.outgoing, redirectedFrom: next.request.redirectedFrom)
        body.begin(limit: next.request.maximumBodyBytes, expected: expectedBodyBytes)
        let timeout = timeout ?? next.request.timeoutMilliseconds
        if let prepared, purpose == self.purpose, next.differsOnlyInAddress(from: prepared) {
            if prepared !== next { applyAddress(next) }
        } else {
            unsafe curl_easy_reset(handle)
            timeoutMilliseconds = -1
            let context = unsafe Unmanaged.passUnretained(self).toOpaque()
            unsafe check(ccurl_set_error_buffer(handle, reason))
            check(connections.install())
            unsafe check(ccurl_set_private(handle, context))
            unsafe check(ccurl_set_body_sink(handle, Transfer.bodySink, context))
            unsafe check(ccurl_set_header_sink(handle, Transfer.headerSink, context))
            apply(next, purpose)
            applyAddress(next)
        }
        if timeout != timeoutMilliseconds { applyTimeout(timeout) }
        (prepared, self.purpose, timeoutMilliseconds) = (next, purpose, timeout)
        if let refusal {
            abandon()
            throw refusal
        }
    }

    /// The result of the request, when libcurl has finished it.
    func outcome(_ code: CURLcode) -> Result<HTTPResponse, HTTPFailure> {
        guard refusal == nil, code == CURLE_OK else {
            abandon()
            return .failure(refusal ?? connections.failure ?? failure(code))
        }
        let (bytes, budgeted) = body.take()
        var response = HTTPResponse(status: unsafe ccurl_status(handle), head: head, body: bytes)
        response.budgeted = budgeted
        return .success(response)
    }

    /// Releases what has arrived, because it is no longer wanted.
    func abandon() {
        body.abandon()
        isReusable = false
    }

    /// Sends the prepared request and waits for the result.
    ///
    /// - Parameters:
    ///   - isCancelled: called about once a second. True ends the request.
    ///   - receiver: takes the body piece by piece. False ends the request.
    func perform(
        isCancelled: (() -> Bool)? = nil, receiver: ((_ status: Int, [UInt8]) -> Bool)? = nil
    ) -> Result<HTTPResponse, HTTPFailure> {
        (self.isCancelled, self.receiver) = (isCancelled, receiver)
        defer { (self.isCancelled, self.receiver) = (nil, nil) }
        if isCancelled != nil {
            let context = unsafe Unmanaged.passUnretained(self).toOpaque()
            unsafe check(ccurl_set_watcher(handle, Transfer.watcher, context))
        }
        let code = unsafe curl_easy_perform(handle)
        if isCancelled != nil { unsafe check(ccurl_set_watcher(handle, nil, nil)) }
        return outcome(code)
    }

    /// Records the first option that libcurl rejects.
    func check(_ code: CURLcode) {
        if code != CURLE_OK, refusal == nil { refusal = failure(code) }
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

    private static let watcher: ccurl_watcher = { context, _, _, _, _ in
        guard let context = unsafe context else { return 0 }
        let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        return transfer.isToEnd ? 1 : 0
    }

    private var isToEnd: Bool {
        guard let isCancelled, isCancelled() else { return false }
        refusal = HTTPFailure(.cancelled, "the request was cancelled")
        return true
    }

    /// Returning fewer bytes than offered makes libcurl abort.
    private func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        if let receiver {
            guard receiver(unsafe ccurl_status(handle), unsafe Array(bytes)) else {
                refusal = HTTPFailure(.cancelled, "the request was cancelled")
                return 0
            }
            return bytes.count
        }
        do throws(HTTPFailure) {
            unsafe try body.append(bytes)
            return bytes.count
        } catch {
            refusal = error
            return 0
        }
    }

    private func receivedHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
        headBytes += bytes.count
        guard headBytes <= Limit.headerBytes else {
            refusal = HTTPFailure(.other, "the header exceeds the limit of \(Limit.headerBytes) bytes")
            return 0
        }
        unsafe head.receive(bytes)
        return bytes.count
    }
}
