internal import CNghttp2

/// Passes responses to nghttp2.
enum HTTP2Response {
    static func submit(_ session: OpaquePointer?, _ stream: Int32, _ response: HTTPServerResponse, hasBody: Bool) {
        let status = (200...599).contains(response.status) ? response.status : 500
        var fields: [(name: String, value: String)] = [
            (":status", "\(status)"), ("date", String(decoding: HTTPDate.now(), as: UTF8.self)),
        ]
        let isBodiless = status == 204 || status == 304
        if response.rest == nil, !isBodiless { fields.append(("content-length", "\(response.body.count)")) }
        for header in response.headers where ResponseHead.isSendable(header) && !isForbidden(header.name) {
            fields.append((header.name.lowercased(), header.value))
        }
        unsafe withPairs(fields) { pairs in
            guard hasBody else {
                unsafe nghttp2_submit_response(session, stream, pairs.baseAddress, pairs.count, nil)
                return
            }
            var provider = unsafe nghttp2_data_provider(
                source: nghttp2_data_source(), read_callback: HTTP2Callbacks.read)
            unsafe nghttp2_submit_response(session, stream, pairs.baseAddress, pairs.count, &provider)
        }
    }

    static func submitContinue(_ session: OpaquePointer?, _ stream: Int32) {
        unsafe withPairs([(":status", "100")]) { pairs in
            _ = unsafe nghttp2_submit_headers(session, 0, stream, nil, pairs.baseAddress, pairs.count, nil)
        }
    }

    /// HTTP/2 has no headers about a single connection.
    private static func isForbidden(_ name: String) -> Bool {
        ASCIIText.equal(name, "Upgrade") || ASCIIText.equal(name, "Proxy-Connection")
    }

    private static func withPairs(
        _ fields: [(name: String, value: String)], _ body: (UnsafeBufferPointer<nghttp2_nv>) -> Void
    ) {
        // All names and values in one buffer, for pointers into it.
        var bytes: [UInt8] = []
        for field in fields {
            bytes += field.name.utf8
            bytes += field.value.utf8
        }
        unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            guard var next = buffer.baseAddress else { return }
            var pairs: [nghttp2_nv] = unsafe []
            for field in fields {
                let name = field.name.utf8.count
                let value = field.value.utf8.count
                unsafe pairs.append(
                    nghttp2_nv(name: next, value: next + name, namelen: name, valuelen: value, flags: 0))
                unsafe next += name + value
            }
            // nghttp2 copies the data that it keeps.
            unsafe pairs.withUnsafeBufferPointer { unsafe body($0) }
        }
    }
}
