internal import CCurl

/// A request for which libcurl only connects: a `GET` over plain HTTP, without a proxy. A value.
struct PlainRequest: Sendable {
    /// Host and port. Requests with the same origin share connections.
    var origin: String
    /// The bytes to send.
    var bytes: [UInt8]

    /// `nil` if libcurl must do more than connect.
    init?(_ request: HTTPRequest) {
        guard request.method == "GET", request.body.isEmpty, request.proxy == nil, request.unixSocket == nil,
            request.url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }), let location = Location(request.url),
            location.scheme == "http", !location.hasUserOrZone
        else { return nil }
        origin = "\(location.host):\(location.port)"
        func has(_ name: String) -> Bool { request.headers.contains { $0.name.lowercased() == name } }
        var text = "GET \(location.target) HTTP/1.1\r\n"
        if !has("host") { text += "Host: \(location.port == "80" ? location.host : origin)\r\n" }
        for field in request.headers { text += "\(field.name): \(field.value)\r\n" }
        if !has("user-agent") { text += "User-Agent: Tribune\r\n" }
        if !has("accept") { text += "Accept: */*\r\n" }
        bytes = Array((text + "\r\n").utf8)
    }
}
