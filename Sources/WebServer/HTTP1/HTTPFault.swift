/// Why the server rejects a request, with the response.
struct HTTPFault: Error, Equatable, Sendable {
    /// The status code of the response.
    var status: Int
    /// The reason, for the body of the response.
    var reason: String

    static func badRequest(_ reason: String) -> HTTPFault { HTTPFault(status: 400, reason: reason) }

    static let bodyTooLarge = HTTPFault(status: 413, reason: "request body too large")
    static let targetTooLong = HTTPFault(status: 414, reason: "request target too long")
    static let headTooLarge = HTTPFault(status: 431, reason: "request header fields too large")
    static let noMemoryForBody = HTTPFault(status: 503, reason: "too many request bodies in flight")

    /// The response, written by `write`.
    func response(_ write: (_ status: Int, _ reason: String) -> HTTPServerResponse) -> HTTPServerResponse {
        var response = write(status, reason)
        if status == 503 { response.headers.append(("Retry-After", "1")) }
        return response
    }
}
