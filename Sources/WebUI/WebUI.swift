internal import CWebUI
internal import TLS
public import WebCore
internal import WebServer

/// The web application's files, and redirects to it from Prometheus's pages. A value.
public struct WebUI: Sendable {
    /// A file, embedded in the binary.
    struct File: Sendable {
        let name: String
        let contentType: String
        let bytes: [UInt8]
        /// Changes with the content, so that browsers cache a file until it changes.
        let tag: String

    }

    /// All files.
    static let files: [File] = (0..<cwebui_count).map { index in
        let file = unsafe cwebui_file_at(index)
        let name = unsafe String(cString: file.name)
        let bytes = unsafe Array(UnsafeBufferPointer(start: file.bytes, count: file.length))
        return File(
            name: name, contentType: contentType(of: name), bytes: bytes,
            tag: "\"\(SHA256.hash(bytes).prefix(8).map { String($0, radix: 16) }.joined())\"")
    }

    private let settings: WebSettings

    /// The web application of a server with these settings.
    public init(settings: WebSettings) {
        self.settings = settings
    }

    /// The files and redirects. The route of the files does not name them: it is the same for every build.
    public var endpoints: [Endpoint] {
        [
            .response(
                [.get], "/ui/", "The page of the web application.",
                response: .file(contentType: Self.contentType(of: "index.html"))
            ) { Self.response("index.html", $0) }.respectingLabels(),
            .response(
                [.get], "/ui/{file}", "A script, a style sheet or the licenses of the web application.",
                parameters: [.path("file", .string, "The name of the file.")],
                response: .file(contentType: "application/octet-stream")
            ) { Self.response($0.pathParameters[0], $0) }.respectingLabels(),
        ] + ["/", "/ui"].map { redirect($0, to: "") }
            + ["alerts", "targets", "rules"].map { redirect(PathTemplate("/" + $0), to: "#/" + $0) }
            + ["/graph", "/query"].map(redirectToQuery)
    }

    private func redirect(_ path: PathTemplate, to part: String) -> Endpoint {
        .response([.get], path, "Redirects to the web application.", response: .redirect) { _ in location(part) }
    }

    /// Links in alerts use Prometheus's `/graph`. The web application has the same parameters.
    private func redirectToQuery(_ path: PathTemplate) -> Endpoint {
        .response(
            [.get], path, "Redirects to a query in the web application.",
            parameters: [.optional("g0.expr", .expression, "The expression.")], response: .redirect
        ) { location("#/query?g0.expr=" + URLEncoding.escape($0["g0.expr"])) }
    }

    private func location(_ part: String) -> HTTPServerResponse {
        HTTPServerResponse(status: 302, headers: [("Location", settings.externalURL.path + "/ui/" + part)])
    }

    private static func contentType(of name: String) -> String {
        switch name.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "txt": "text/plain; charset=utf-8"
        case "webmanifest": "application/manifest+json"
        case "png": "image/png"
        default: "application/octet-stream"
        }
    }

    /// Only files of this server may be loaded or run, and no other page may embed the application.
    private static let contentPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        + "manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

    private static func response(_ name: String, _ call: APIRequest) -> HTTPServerResponse {
        guard let file = files.first(where: { $0.name == name }) else {
            return .text("the web application has no such file\n", status: 404)
        }
        let isKnown = call.request[header: "If-None-Match"] == file.tag
        return HTTPServerResponse(
            status: isKnown ? 304 : 200,
            headers: [
                ("Content-Type", file.contentType), ("Content-Security-Policy", contentPolicy),
                ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
                ("Cache-Control", "no-cache"), ("ETag", file.tag),
            ], body: isKnown ? [] : file.bytes)
    }
}
