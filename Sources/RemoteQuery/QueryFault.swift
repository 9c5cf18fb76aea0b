/// Why a server gave no answer that can be used. Nothing is known about the data then.
public struct QueryFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kind of a fault; also the label `result` of the metrics.
    public enum Code: String, Sendable, CaseIterable {
        /// No connection, or it was closed before the answer was complete.
        case connection
        /// No answer in time.
        case timeout
        /// A status other than 2xx.
        case status
        /// The server says that it has not asked everything.
        case partial
        /// No answer of the query API, or one of another time than the one asked for.
        case shape
        /// More bytes than allowed.
        case size
        /// Not sent: an unknown server, a secret that cannot be read, an address that is not allowed.
        case refused
        /// The wait was ended.
        case cancelled
    }

    /// The kind of fault.
    public var code: Code
    /// One line.
    public var description: String

    /// A fault; what a server says is cut and has no control characters.
    public init(_ code: Code, _ description: String) {
        self.code = code
        let clean = description.unicodeScalars.lazy.map { $0.value < 0x20 || $0.value == 0x7f ? " " : $0 }
        var text = String.UnicodeScalarView(clean.prefix(Self.limit))
        if description.unicodeScalars.count > Self.limit { text.append("…") }
        self.description = String(text)
    }

    private static let limit = 500
}
