internal import TLS
internal import WebServer

/// A file of the built-in page, part of the program so that there is nothing to install or to lose.
struct PageAsset: Sendable {
    let path: String
    let contentType: String
    let text: String
    /// Changes with the content, so that browsers keep what they have and notice what is new.
    let tag: String

    init(_ path: String, _ contentType: String, _ text: String) {
        self.path = path
        self.contentType = contentType + "; charset=utf-8"
        self.text = text
        tag = "\"\(SHA256.hex(text).prefix(16))\""
    }

    static let all = [
        PageAsset("/ui/", "text/html", pageHTML), PageAsset("/ui/tribune.css", "text/css", pageStyle),
        PageAsset("/ui/tribune.js", "text/javascript", pageScript),
        PageAsset("/ui/graph.js", "text/javascript", pageGraph),
    ]
}

extension Exporter {
    /// Only what this server itself sends may run, load or frame the page.
    private static let contentPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

    func page(_ asset: PageAsset, _ call: APICall) -> HTTPServerResponse {
        var response = HTTPServerResponse.text(asset.text, contentType: asset.contentType)
        response.headers += [
            ("Content-Security-Policy", Self.contentPolicy), ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-cache"), ("ETag", asset.tag),
        ]
        if call.request[header: "If-None-Match"] == asset.tag {
            response.status = 304
            response.body = []
        }
        return response
    }

    /// `/graph`, where links in alerts lead: Prometheus's parameters become those of the page.
    func redirectToQuery(_ call: APICall) -> HTTPServerResponse {
        let query = "?expr=" + URLEncoding.escape(call["g0.expr"]) + "#query"
        return HTTPServerResponse(status: 302, headers: [("Location", settings.routePrefix + "/ui/" + query)])
    }

    /// Where Prometheus has pages of their own, which people have in their fingers and bookmarks.
    func redirect(toPart part: String) -> HTTPServerResponse {
        HTTPServerResponse(status: 302, headers: [("Location", settings.routePrefix + "/ui/#" + part)])
    }

    /// `/` and `/ui`
    func redirectToPage(_ call: APICall) -> HTTPServerResponse {
        HTTPServerResponse(status: 302, headers: [("Location", settings.routePrefix + "/ui/")])
    }
}
