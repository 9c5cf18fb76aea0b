/// The rest of a body that is made while it is sent, so that a long answer is never in memory as a whole.
///
/// The server's workers ask for a piece when the one before has been sent, never two at once; a client that reads slowly holds
/// no worker. When the client leaves the source is let go unfinished.
public protocol HTTPBodySource: AnyObject, Sendable {
    /// Appends the next bytes to `piece`, which is empty; at most some hundred kilobytes, and nothing only at the end.
    ///
    /// - Returns: Whether more may follow. Not asked again after `false`.
    func appendPiece(to piece: inout [UInt8]) -> Bool
}
