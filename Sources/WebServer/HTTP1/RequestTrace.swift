internal import Runtime

/// How an HTTP/1 connection interprets received bytes. For tests and fuzzing, which compare different divisions of the
/// same bytes.
package enum RequestTrace {
    /// One line for each valid request and for the rejected one.
    ///
    /// - Parameter pieces: the bytes in order of arrival.
    package static func lines(of pieces: [ArraySlice<UInt8>]) -> [String] {
        var lines: [String] = []
        let limits = RequestReader.Limits(headBytes: 1024, bodyBytes: 256, budget: ByteBudget(limit: 1 << 20))
        let context = SessionContext(
            limits: limits, peer: HTTPPeer(address: ""), formLimit: 128, wake: {},
            onRefusal: { fault in
                lines.append("refused: \(fault.status) \(fault.reason)")
                return fault.response { .text($1, status: $0) }
            })
        let session = HTTP1Session(context)
        for piece in pieces where !session.isFinished {
            unsafe piece.withUnsafeBytes { unsafe session.receive($0) }
            while let request = session.nextRequest() {
                lines.append(line(request.request))
                session.respond(HTTPServerResponse(status: 204), to: 0)
            }
            var output = Output()
            session.fill(&output)
        }
        return lines
    }

    private static func line(_ request: HTTPServerRequest) -> String {
        let headers = request.headers.map { "\($0.name)=\($0.value)" }
        return "\(request.method) \(request.path) \(request.query) \(headers) \(request.body)"
    }
}
