internal import Synchronization

/// A stream of server-sent events to one client. May be used from any thread.
///
/// Events that the client has not read are buffered up to a limit. Above it the stream ends: the client reconnects and
/// sends its position in `Last-Event-ID`.
public final class HTTPEventStream: HTTPLiveBodySource {
    private struct State {
        var pending: [UInt8] = []
        var isClosed = false
        var wake: (@Sendable () -> Void)?
    }

    private let limit: Int
    private let state = Mutex(State())
    private let onRelease: @Sendable () -> Void

    /// - Parameters:
    ///   - limit: the maximum number of bytes of events that wait for the client.
    ///   - onRelease: called when the server releases the stream, because it has ended or the client has disconnected.
    public init(limit: Int = 256 << 10, onRelease: @escaping @Sendable () -> Void = {}) {
        self.limit = limit
        self.onRelease = onRelease
    }

    deinit {
        onRelease()
    }

    /// The response with this stream.
    public var response: HTTPServerResponse {
        HTTPServerResponse(
            status: 200, headers: [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")],
            rest: self)
    }

    /// Sends an event. `data` may contain line breaks; `event` and `id` must not.
    ///
    /// - Returns: false if the stream has ended.
    @discardableResult
    public func send(event: String? = nil, id: String? = nil, data: String) -> Bool {
        var bytes: [UInt8] = []
        if let event { bytes += "event: \(event)\n".utf8 }
        if let id { bytes += "id: \(id)\n".utf8 }
        for line in data.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            bytes += "data: ".utf8
            bytes += line
            bytes.append(UInt8(ascii: "\n"))
        }
        bytes.append(UInt8(ascii: "\n"))
        return send(bytes)
    }

    /// Sends a comment, which keeps the connection alive and detects a disconnected client.
    @discardableResult
    public func sendHeartbeat() -> Bool {
        send(Array(":\n\n".utf8))
    }

    /// Ends the stream after the data sent so far.
    public func close() {
        let wake = state.withLock { state in
            state.isClosed = true
            return state.wake
        }
        wake?()
    }

    private func send(_ bytes: [UInt8]) -> Bool {
        let (wake, isOpen) = state.withLock { state in
            guard !state.isClosed else { return ((@Sendable () -> Void)?.none, false) }
            if state.pending.count + bytes.count > limit {
                state.isClosed = true
            } else {
                state.pending += bytes
            }
            return (state.wake, !state.isClosed)
        }
        wake?()
        return isOpen
    }

    /// Called by the server.
    public func whenReady(_ wake: @escaping @Sendable () -> Void) {
        state.withLock { $0.wake = wake }
    }

    /// Called by the server.
    public func appendPiece(to piece: inout [UInt8]) -> Bool {
        state.withLock { state in
            swap(&piece, &state.pending)
            return !state.isClosed
        }
    }
}
