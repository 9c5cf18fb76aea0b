internal import CNghttp2

/// Callbacks of nghttp2 while it reads and writes, always under the connection's lock.
enum HTTP2Callbacks {
    static func set(on callbacks: OpaquePointer?) {
        unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, user in
            guard let frame = unsafe frame, unsafe HTTP2Callbacks.isRequest(frame) else { return 0 }
            unsafe HTTP2Callbacks.session(user)?.streamOpened(frame.pointee.hd.stream_id)
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, frame, name, nameCount, value, valueCount, _, user in
            guard let frame = unsafe frame, unsafe HTTP2Callbacks.isRequest(frame) else { return 0 }
            unsafe HTTP2Callbacks.session(user)?.fieldArrived(
                frame.pointee.hd.stream_id, name: HTTP2Callbacks.text(name, nameCount),
                value: HTTP2Callbacks.text(value, valueCount))
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
            _, _, stream, bytes, count, user in
            unsafe HTTP2Callbacks.session(user)?.bodyArrived(stream, UnsafeRawBufferPointer(start: bytes, count: count))
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
            guard let frame = unsafe frame, let session = unsafe HTTP2Callbacks.session(user) else { return 0 }
            let head = unsafe frame.pointee.hd
            if unsafe HTTP2Callbacks.isRequest(frame) { session.headArrived(head.stream_id) }
            if HTTP2Callbacks.isEnd(head) { session.requestArrived(head.stream_id) }
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, user in
            guard let head = unsafe frame?.pointee.hd, HTTP2Callbacks.isEnd(head) else { return 0 }
            unsafe HTTP2Callbacks.session(user)?.responseSent(head.stream_id)
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, _, user in
            unsafe HTTP2Callbacks.session(user)?.streamClosed(stream)
            return 0
        }
    }

    /// Returns the next part of a response's body.
    static let read: nghttp2_data_source_read_callback = { _, stream, buffer, room, flags, _, user in
        guard let session = unsafe HTTP2Callbacks.session(user) else {
            return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
        }
        switch unsafe session.bodyPiece(stream, into: UnsafeMutableRawBufferPointer(start: buffer, count: room)) {
        case .bytes(let count, let isLast):
            if isLast { unsafe flags?.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue }
            return count
        case .nothing: return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        case nil: return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
        }
    }

    private static func session(_ user: UnsafeMutableRawPointer?) -> HTTP2Session? {
        guard let user = unsafe user else { return nil }
        return unsafe Unmanaged<HTTP2Session>.fromOpaque(user).takeUnretainedValue()
    }

    /// Whether a frame is the head of a request, not its trailers.
    private static func isRequest(_ frame: UnsafePointer<nghttp2_frame>) -> Bool {
        unsafe UInt32(frame.pointee.hd.type) == NGHTTP2_HEADERS.rawValue
            && frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST
    }

    /// Whether a frame ends one side of its stream.
    private static func isEnd(_ head: nghttp2_frame_hd) -> Bool {
        let type = UInt32(head.type)
        return (type == NGHTTP2_HEADERS.rawValue || type == NGHTTP2_DATA.rawValue)
            && UInt32(head.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0
    }

    private static func text(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> String {
        unsafe String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
}
