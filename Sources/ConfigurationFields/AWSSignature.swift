public import CurlHTTP
internal import MetricModel
public import Runtime
internal import TLS

/// Signs requests to AWS (Signature Version 4). A value.
public struct AWSSignature {
    private let keys: AWSCredentials.Keys
    private let region: String
    private let service: String

    /// A signature for requests to `service`, such as `sns`.
    public init(keys: AWSCredentials.Keys, region: String, service: String) {
        self.keys = keys
        self.region = region
        self.service = service
    }

    /// Adds the header fields of the signature. The URL must have no query.
    public func sign(
        _ request: inout HTTPRequest, atMilliseconds now: Int64 = SystemClock.wallMilliseconds()
    ) {
        let stamp = RFC3339.text(milliseconds: now / 1000 * 1000).filter { $0 != "-" && $0 != ":" }
        let day = String(stamp.prefix(8))
        let rest = request.url.firstRange(of: "://").map { request.url[$0.upperBound...] } ?? request.url[...]
        let host = String(rest.prefix { $0 != "/" })
        let path = String(rest.dropFirst(host.count))
        var fields = [("host", host), ("x-amz-date", stamp)]
        for header in request.headers where header.name.lowercased() == "content-type" {
            fields.append(("content-type", header.value))
        }
        if let session = keys.session { fields.append(("x-amz-security-token", session)) }
        fields.sort { $0.0 < $1.0 }
        let names = fields.map(\.0).joined(separator: ";")
        let canonical =
            [request.method, path.isEmpty ? "/" : path, ""].joined(separator: "\n") + "\n"
            + fields.map { "\($0.0):\($0.1)\n" }.joined() + "\n\(names)\n\(Hexadecimal.text(SHA256.hash(request.body)))"
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(stamp)\n\(scope)\n\(SHA256.hex(canonical))"
        var key = Array("AWS4\(keys.secret)".utf8)
        for part in [day, region, service, "aws4_request"] { key = HMACSHA256.code(for: Array(part.utf8), key: key) }
        let signature = Hexadecimal.text(HMACSHA256.code(for: Array(text.utf8), key: key))
        request.headers += [("X-Amz-Date", stamp)]
        if let session = keys.session { request.headers.append(("X-Amz-Security-Token", session)) }
        request.headers.append(
            (
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=\(keys.access)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
            ))
    }
}
