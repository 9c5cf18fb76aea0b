/// The rest of a body that is generated while it is sent, so that a long response is never completely in memory.
///
/// The server requests a piece when the previous one was sent, one at a time. A slow client occupies no thread. If the
/// client disconnects, the source is released early.
public protocol HTTPBodySource: AnyObject, Sendable {
    /// Appends the next bytes to `piece`, which is empty: at most some hundred kilobytes; nothing only at the end.
    ///
    /// - Returns: whether more may follow. Not called again after `false`.
    func appendPiece(to piece: inout [UInt8]) -> Bool
}

/// A body whose data become available over time, such as an event stream.
///
/// `appendPiece` may append nothing and return true. The server then calls it again when the source has called the
/// function from ``whenReady(_:)``. Such bodies are never compressed, and end when the server stops.
public protocol HTTPLiveBodySource: HTTPBodySource {
    /// Sets the function that the source must call, on any thread, when it has data or has ended. Called once.
    func whenReady(_ wake: @escaping @Sendable () -> Void)
}

extension HTTPBodySource {
    /// The next piece. It is empty only at the end, or if a live body has no data at the moment.
    func nextPiece(into piece: inout [UInt8]) -> Bool {
        while true {
            let mayFollow = appendPiece(to: &piece)
            if !mayFollow || !piece.isEmpty || self is any HTTPLiveBodySource { return mayFollow }
        }
    }
}
