internal import WebServer

/// Whether a page of another site sends a request: browsers let such pages send requests that change state.
enum PageOrigin {
    /// Whether `request` says that a page of this server sends it. A program says nothing, and neither does an old
    /// browser.
    static func isOwn(_ request: HTTPServerRequest, external: String) -> Bool {
        if isForeign(request, external: external) { return false }
        return request[header: "Sec-Fetch-Site"] == "same-origin" || request[header: "Origin"] != nil
    }

    /// Whether `request` comes from a page of another server. Requests of programs come from no page.
    ///
    /// - Parameter external: the origin of the server's URL for users: `https://tribune.example`.
    static func isForeign(_ request: HTTPServerRequest, external: String) -> Bool {
        // Only a browser writes this header, and no page can change it.
        if let site = request[header: "Sec-Fetch-Site"], site != "same-origin", site != "none" { return true }
        guard let origin = request[header: "Origin"] else { return false }
        if !external.isEmpty, origin == external { return false }
        guard let host = request[header: "Host"] else { return true }
        return origin != "http://" + host && origin != "https://" + host
    }
}
