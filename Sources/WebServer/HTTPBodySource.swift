/// The rest of a body that is made while it is sent, so that a long response is never in memory as a whole.
///
/// The server asks for a piece when the piece before has been sent, never for two at once; a client that reads slowly
/// holds no thread. When the client leaves, the source is released unfinished.
public protocol HTTPBodySource: AnyObject, Sendable {
    /// Appends the next bytes to `piece`, which is empty; at most some hundred kilobytes, and nothing only at the end.
    ///
    /// - Returns: Whether more may follow. Not called again after `false`.
    func appendPiece(to piece: inout [UInt8]) -> Bool
}

/// A body of which more becomes available with time, such as a stream of events.
///
/// `appendPiece` may append nothing and return true. The server then asks again after the source has called what
/// ``whenReady(_:)`` gave it. Such bodies are never compressed, and end when the server stops.
public protocol HTTPLiveBodySource: HTTPBodySource {
    /// Takes the function that the source calls, on any thread, whenever it has bytes or has ended. Called once.
    func whenReady(_ wake: @escaping @Sendable () -> Void)
}

extension HTTPBodySource {
    /// The next piece, which is empty only at the end or where a live body has nothing at the moment.
    func nextPiece(into piece: inout [UInt8]) -> Bool {
        while true {
            let mayFollow = appendPiece(to: &piece)
            if !mayFollow || !piece.isEmpty || self is any HTTPLiveBodySource { return mayFollow }
        }
    }
}
