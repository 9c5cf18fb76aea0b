internal import Zlib

/// A response. A value.
public struct HTTPServerResponse: Sendable {
    /// The status code, 200...599.
    public var status: Int
    /// The headers. The server adds `Date`, `Connection` and `Content-Length`.
    public var headers: [(name: String, value: String)]
    /// The body, or its start; not sent for `HEAD`.
    public var body: [UInt8]
    /// The part after `body`, generated while it is sent. The response is then chunked, without
    /// `Content-Length`.
    public var rest: (any HTTPBodySource)?

    /// A response with bytes.
    public init(
        status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        rest: (any HTTPBodySource)? = nil
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.rest = rest
    }

    /// A response with text.
    public static func text(
        _ text: String, status: Int = 200, contentType: String = "text/plain; charset=utf-8"
    ) -> HTTPServerResponse {
        HTTPServerResponse(status: status, headers: [("Content-Type", contentType)], body: Array(text.utf8))
    }

    /// Shorter bodies are not compressed, because they fit in one packet either way.
    private static let worthCompressing = 1024

    /// Compresses the body with the first supported encoding in `accepted`. A body that is already encoded is not
    /// changed.
    mutating func compress(accepted: String?) {
        if headers.contains(where: { ASCIIText.equal($0.name, "Content-Encoding") }) { return }
        headers.append(("Vary", "Accept-Encoding"))
        guard let accepted, rest != nil || body.count >= Self.worthCompressing else { return }
        for entry in accepted.split(separator: ",") {
            let parts = entry.split(separator: ";", maxSplits: 1).map { ASCIIText.trimmed($0) }
            guard let name = parts.first, parts.count == 1 || !Self.isRefused(parts[1]) else { continue }
            let format: CompressedFormat
            switch name {
            case "gzip": format = .gzip
            case "deflate": format = .zlib
            default: continue
            }
            if compress(as: format) { headers.append(("Content-Encoding", name)) }
            return
        }
    }

    /// Returns false without memory.
    private mutating func compress(as format: CompressedFormat) -> Bool {
        if let rest {
            // A compressor would delay events.
            guard !(rest is any HTTPLiveBodySource) else { return false }
            guard let compressed = CompressedBody(body, rest, as: format) else { return false }
            body = []
            self.rest = compressed
            return true
        }
        guard let compressed = Zlib.compress(body, as: format) else { return false }
        body = compressed
        return true
    }

    /// Whether `parameter` is a quality of zero: `q=0`, `q=0.0`.
    private static func isRefused(_ parameter: String) -> Bool {
        parameter.hasPrefix("q=0") && parameter.dropFirst(2).allSatisfy { $0 == "0" || $0 == "." }
    }
}
