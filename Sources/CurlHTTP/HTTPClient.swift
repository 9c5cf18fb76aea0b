internal import CCurl
internal import Runtime
internal import Synchronization

/// Sends requests and waits for the responses. May be shared between threads. Every caller waits on its own thread.
///
/// Connections are kept for later requests: each idle handle of the pool has a few of them.
public final class HTTPClient: Sendable {
    /// Idle handles; a busy one belongs to the thread that sends with it.
    private struct Idle: @unchecked Sendable {
        // @unchecked: a transfer in this list is referenced from nowhere else, and the list is behind a mutex.
        var transfers: [Transfer] = []
    }

    private static let maximumIdle = 64
    private let idle = Mutex(Idle())

    /// A client without connections.
    public init() {}

    /// Sends `request` and waits for the response, the timeout or an error.
    ///
    /// A response of any status is returned, not thrown.
    ///
    /// - Parameter isCancelled: called about once a second. `true` ends the request with
    ///   ``HTTPFailure/Code/cancelled``.
    public func send(
        _ request: HTTPRequest, isCancelled: (@Sendable () -> Bool)? = nil
    ) throws(HTTPFailure) -> HTTPResponse {
        guard request.maximumRedirects > 0, !request.confidentialHeaders.isEmpty else {
            return try perform(request) { $0.perform(isCancelled: isCancelled) }
        }
        var next = request
        for _ in 0..<request.maximumRedirects {
            var address = ""
            let response = try perform(next) { transfer in
                defer { address = transfer.firstAddress }
                return transfer.perform(isCancelled: isCancelled)
            }
            guard let redirected = next.redirected(by: response) else { return response }
            next = redirected
            next.redirectedFrom = address
        }
        throw HTTPFailure(.other, "stopped after \(request.maximumRedirects) redirects")
    }

    /// Sends `request` and passes on the body as it arrives. The returned response has no body.
    ///
    /// - Parameters:
    ///   - isCancelled: called about once a second. `true` ends the request with ``HTTPFailure/Code/cancelled``.
    ///   - receive: takes the status and the next bytes of the body, on the caller's thread. `false` ends the request.
    public func stream(
        _ request: HTTPRequest, isCancelled: (@Sendable () -> Bool)? = nil,
        receive: (_ status: Int, _ bytes: [UInt8]) -> Bool
    ) throws(HTTPFailure) -> HTTPResponse {
        let result = withoutActuallyEscaping(receive) { receive in
            Result { () throws(HTTPFailure) in
                try perform(request) { transfer in
                    transfer.perform(isCancelled: isCancelled, receiver: receive)
                }
            }
        }
        return try result.get()
    }

    private func perform(
        _ request: HTTPRequest, _ body: (Transfer) -> Result<HTTPResponse, HTTPFailure>
    ) throws(HTTPFailure) -> HTTPResponse {
        let prepared = try PreparedRequest(request)
        guard let transfer = take() else { throw HTTPFailure(.other, "out of memory") }
        defer { putBack(transfer) }
        try transfer.prepare(prepared, expectedBodyBytes: request.expectedBodyBytes)
        return try body(transfer).get()
    }

    private func take() -> Transfer? {
        // The last used handle most likely has a live connection.
        let known = idle.withLock { Idle(transfers: $0.transfers.popLast().map { [$0] } ?? []) }
        return known.transfers.first ?? Transfer(BodyBuffers(budget: ByteBudget(limit: .max)))
    }

    /// A handle over the limit is closed here, outside the lock, because closing connections takes time.
    private func putBack(_ transfer: Transfer) {
        guard transfer.isReusable else { return }
        let returned = Idle(transfers: [transfer])
        idle.withLock { idle in
            if idle.transfers.count < Self.maximumIdle { idle.transfers += returned.transfers }
        }
    }
}
