extension HTTPRequest {
    /// The request to which `response` redirects this one; `nil` if it does not. Credentials are sent only to the same
    /// host.
    func redirected(by response: HTTPResponse) -> HTTPRequest? {
        guard [301, 302, 303, 307, 308].contains(response.status), let place = response["location"],
            let here = Location(url), let target = Location.resolved(place, from: url), let there = Location(target)
        else { return nil }
        var next = self
        next.url = target
        if (here.scheme, here.host.lowercased(), here.port) != (there.scheme, there.host.lowercased(), there.port) {
            let dropped = confidentialHeaders.union(["authorization", "cookie"])
            next.headers.removeAll { dropped.contains($0.name.lowercased()) }
        }
        if response.status < 307, method != "GET", method != "HEAD" {
            next.method = "GET"
            next.body = []
            next.headers.removeAll { $0.name.lowercased() == "content-type" }
        }
        return next
    }
}
