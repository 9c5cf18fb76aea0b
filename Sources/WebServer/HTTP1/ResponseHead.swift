/// Writes the heads of HTTP/1 responses.
enum ResponseHead {
    enum Framing {
        /// No body is allowed, and none is announced: 204 and 304.
        case none
        case length(Int)
        case chunked
        /// The end of the connection ends the body: HTTP/1.0 has no chunks.
        case untilClose
    }

    static func append(
        _ response: HTTPServerResponse, _ framing: Framing, keepsAlive: Bool, announcesKeepAlive: Bool, date: [UInt8],
        to output: inout [UInt8]
    ) {
        let status = (200...599).contains(response.status) ? response.status : 500
        output += "HTTP/1.1 ".utf8
        append(status, to: &output)
        output.append(0x20)
        output += reason(status).utf8
        output += "\r\nDate: ".utf8
        output += date
        switch framing {
        case .none, .untilClose: break
        case .length(let length):
            output += "\r\nContent-Length: ".utf8
            append(length, to: &output)
        case .chunked: output += "\r\nTransfer-Encoding: chunked".utf8
        }
        if !keepsAlive {
            output += "\r\nConnection: close".utf8
        } else if announcesKeepAlive {
            output += "\r\nConnection: keep-alive".utf8
        }
        output += "\r\n".utf8
        for header in response.headers where isSendable(header) {
            output += header.name.utf8
            output += ": ".utf8
            output += header.value.utf8
            output += "\r\n".utf8
        }
        output += "\r\n".utf8
    }

    /// Whether a handler's header is sent. Malformed headers, and those that the server writes itself, are omitted.
    static func isSendable(_ header: (name: String, value: String)) -> Bool {
        !header.name.isEmpty && header.name.utf8.allSatisfy(HTTPGrammar.isToken)
            && header.value.utf8.allSatisfy(HTTPGrammar.isFieldContent) && !isOwn(header.name)
    }

    private static func isOwn(_ name: String) -> Bool {
        switch name.utf8.count {
        case 4: ASCIIText.equal(name, "Date")
        case 10: ASCIIText.equal(name, "Connection") || ASCIIText.equal(name, "Keep-Alive")
        case 14: ASCIIText.equal(name, "Content-Length")
        case 17: ASCIIText.equal(name, "Transfer-Encoding")
        default: false
        }
    }

    private static func append(_ number: Int, to output: inout [UInt8]) {
        if number >= 10 { append(number / 10, to: &output) }
        output.append(UInt8(0x30 + number % 10))
    }

    private static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: status < 300 ? "OK" : status < 400 ? "Redirect" : status < 500 ? "Client Error" : "Server Error"
        }
    }
}
