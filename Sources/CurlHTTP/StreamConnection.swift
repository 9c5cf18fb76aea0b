internal import CCurl
internal import Glibc
internal import Runtime

/// A connection to a server over TCP, with or without TLS, or over a Unix socket, for a protocol that only sends.
///
/// Belongs to one thread, which it blocks up to the timeout. Obeys the ``OutgoingPolicy``.
@safe public final class StreamConnection {
    /// Where the server is.
    public enum Address: Hashable, Sendable {
        /// TLS if there are options.
        case network(host: String, port: Int, tls: TLSOptions?)
        case unix(path: String)
    }

    private let handle: UnsafeMutableRawPointer
    private let reason: UnsafeMutablePointer<CChar>
    private var connectTo: UnsafeMutablePointer<curl_slist>?
    private let connections: ConnectionCheck
    private let timeoutMilliseconds: Int64
    private var descriptor: Int32 = -1
    private var setting = CURLE_OK

    /// Connects, and agrees on TLS.
    public init(_ address: Address, timeoutMilliseconds: Int64) throws(HTTPFailure) {
        guard ccurl_global_init() == CURLE_OK, let handle = unsafe curl_easy_init() else {
            throw HTTPFailure(.other, "out of memory")
        }
        unsafe self.handle = unsafe handle
        unsafe reason = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe reason[0] = 0
        connections = unsafe ConnectionCheck(handle)
        self.timeoutMilliseconds = timeoutMilliseconds
        try connect(to: address)
    }

    deinit {
        unsafe curl_easy_cleanup(handle)
        unsafe curl_slist_free_all(connectTo)
        unsafe reason.deallocate()
    }

    private func connect(to address: Address) throws(HTTPFailure) {
        unsafe check(ccurl_set_error_buffer(handle, reason))
        check(connections.install())
        unsafe check(ccurl_set_long(handle, CURLOPT_NOSIGNAL, 1))
        unsafe check(ccurl_set_long(handle, CURLOPT_CONNECT_ONLY, 1))
        unsafe check(ccurl_set_long(handle, CURLOPT_SSL_ENABLE_ALPN, 0))
        unsafe check(ccurl_set_text(handle, CURLOPT_PROXY, ""))
        unsafe check(ccurl_set_long(handle, CURLOPT_TCP_KEEPALIVE, 1))
        let timeout = Int(clamping: timeoutMilliseconds)
        unsafe check(ccurl_set_long(handle, CURLOPT_TIMEOUT_MS, timeout))
        unsafe check(ccurl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, timeout))
        switch address {
        case .unix(let path):
            connections.begin(policy: nil, isEncrypted: false)
            unsafe check(ccurl_set_text(handle, CURLOPT_UNIX_SOCKET_PATH, path))
            unsafe check(ccurl_set_text(handle, CURLOPT_URL, "http://localhost"))
        case .network(let host, let port, let tls):
            connections.begin(policy: nil, isEncrypted: tls != nil)
            let shown = host.contains(":") ? "[\(host)]" : host
            // libcurl verifies the name in the URL.
            let name = tls?.serverName ?? shown
            unsafe check(ccurl_set_text(handle, CURLOPT_URL, "\(tls == nil ? "http" : "https")://\(name):\(port)"))
            if let tls { unsafe check(tls.apply(to: handle)) }
            if name != shown {
                unsafe connectTo = unsafe curl_slist_append(nil, "\(name):\(port):\(shown):\(port)")
                unsafe check(ccurl_set_list(handle, CURLOPT_CONNECT_TO, connectTo))
            }
        }
        let code = setting == CURLE_OK ? unsafe curl_easy_perform(handle) : setting
        guard code == CURLE_OK else { throw failure(code) }
        descriptor = unsafe ccurl_active_socket(handle)
        guard descriptor >= 0 else { throw HTTPFailure(.connect, "the connection was closed") }
    }

    /// Sends all of `bytes`, and waits until the kernel of the peer has acknowledged them, or the peer has read them
    /// from a Unix socket.
    ///
    /// After an error, any part of them may have arrived.
    public func send(_ bytes: [UInt8]) throws(HTTPFailure) {
        let deadline = SystemClock.monotonicNanoseconds() + timeoutMilliseconds * 1_000_000
        var sent = 0
        while sent < bytes.count {
            try checkOpen()
            var count = 0
            let code = unsafe bytes.withUnsafeBytes { buffer in
                unsafe curl_easy_send(handle, buffer.baseAddress.map { unsafe $0 + sent }, buffer.count - sent, &count)
            }
            sent += count
            switch code {
            case CURLE_OK: continue
            case CURLE_AGAIN: try wait(for: Int16(POLLOUT), until: deadline)
            default: throw failure(code)
            }
        }
        var pause: UInt32 = 50
        while ccurl_unacknowledged(descriptor) > 0 {
            try checkOpen()
            guard SystemClock.monotonicNanoseconds() < deadline else {
                throw HTTPFailure(.timeout, "the peer has not acknowledged the data in time")
            }
            usleep(pause)
            pause = min(pause * 2, 20_000)
        }
        try checkOpen()
    }

    /// Throws if the peer has closed the connection. What it sends is ignored.
    public func checkOpen() throws(HTTPFailure) {
        var block = [UInt8](repeating: 0, count: 4096)
        for _ in 0..<16 {
            var count = 0
            let code = unsafe block.withUnsafeMutableBytes {
                unsafe curl_easy_recv(handle, $0.baseAddress, $0.count, &count)
            }
            if code == CURLE_AGAIN { return }
            guard code == CURLE_OK else { throw failure(code) }
            if count == 0 { throw HTTPFailure(.connect, "the peer has closed the connection") }
        }
    }

    private func wait(for events: Int16, until deadline: Int64) throws(HTTPFailure) {
        var request = pollfd(fd: descriptor, events: events, revents: 0)
        let left = (deadline - SystemClock.monotonicNanoseconds() + 999_999) / 1_000_000
        guard left > 0, unsafe poll(&request, 1, Int32(clamping: min(left, 1000))) >= 0 || errno == EINTR else {
            throw HTTPFailure(.timeout, "the peer does not take the data in time")
        }
    }

    private func failure(_ code: CURLcode) -> HTTPFailure {
        if let refused = connections.failure { return refused }
        let detail = unsafe String(cString: reason)
        return HTTPFailure(.connect, detail.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : detail)
    }

    private func check(_ code: CURLcode) {
        if code != CURLE_OK, setting == CURLE_OK { setting = code }
    }
}
