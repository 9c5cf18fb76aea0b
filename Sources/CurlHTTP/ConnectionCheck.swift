internal import CCurl
internal import Runtime

/// Applies an ``OutgoingPolicy`` to one libcurl handle: before a connection is opened, and before a request is sent
/// over a kept one. Belongs to the handle's owner, and must outlive its transfers.
@safe final class ConnectionCheck {
    private let handle: UnsafeMutableRawPointer
    private var policy: OutgoingPolicy?
    private var isEncrypted: Bool?
    private var redirectedFrom: String?
    /// The address that the request was sent to first; empty if it was not sent.
    private(set) var firstAddress = ""
    /// Why the last connection was refused; `nil` if none was.
    private(set) var failure: HTTPFailure?

    init(_ handle: UnsafeMutableRawPointer) {
        unsafe self.handle = unsafe handle
    }

    /// A new request begins.
    ///
    /// - Parameters:
    ///   - policy: `nil` for that of the process at the time of each connection.
    ///   - isEncrypted: whether it uses TLS; `nil` if the URL tells.
    ///   - redirectedFrom: the first address, if it follows a redirect.
    func begin(policy: OutgoingPolicy?, isEncrypted: Bool? = nil, redirectedFrom: String? = nil) {
        (self.policy, self.isEncrypted, self.redirectedFrom) = (policy, isEncrypted, redirectedFrom)
        firstAddress = redirectedFrom ?? ""
        failure = nil
    }

    /// Sets the callbacks on the handle.
    func install() -> CURLcode {
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        return unsafe ccurl_set_connection_check(handle, Self.opening, Self.sending, context)
    }

    /// libcurl tries the next address of the name after a refusal.
    private static let opening: curl_opensocket_callback = { context, _, address in
        guard let context = unsafe context, let address = unsafe address else { return -1 }
        let check = unsafe Unmanaged<ConnectionCheck>.fromOpaque(context).takeUnretainedValue()
        var text = [CChar](repeating: 0, count: 64)
        unsafe ccurl_address_text(address, &text)
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        guard bytes.isEmpty || check.allows(String(decoding: bytes, as: UTF8.self)) else { return -1 }
        return unsafe ccurl_open_socket(address)
    }

    private static let sending: curl_prereq_callback = { context, address, _, _, _ in
        guard let context = unsafe context else { return CURL_PREREQFUNC_ABORT }
        let check = unsafe Unmanaged<ConnectionCheck>.fromOpaque(context).takeUnretainedValue()
        // Nothing for a Unix socket.
        let text = unsafe address.map { unsafe String(cString: $0) } ?? ""
        let isNumeric = NetworkPrefix(text) != nil
        guard !isNumeric || check.allows(text) else { return CURL_PREREQFUNC_ABORT }
        if check.firstAddress.isEmpty { check.firstAddress = text }
        return CURL_PREREQFUNC_OK
    }

    private func allows(_ address: String) -> Bool {
        let isRedirect = unsafe redirectedFrom != nil || ccurl_redirects(handle) > 0
        let connection = unsafe OutgoingPolicy.Connection(
            address: address, isEncrypted: isEncrypted ?? ccurl_is_https(handle),
            redirectedFrom: isRedirect ? firstAddress : nil)
        guard let reason = (policy ?? .ofProcess).refusal(of: connection) else { return true }
        failure = HTTPFailure(.refused, reason)
        return false
    }
}
