internal import Identity
internal import OnCall
internal import OnCallRunner
internal import WebCore
internal import WebServer

/// Signed links: a page of confirmation, and the order that it posts. Mail programs open links by themselves, so a
/// `GET` changes nothing.
extension TribuneAPI {
    private static let token = Parameter.path("token", .string, "The text of a link, from a message.")

    var pageLinkEndpoints: [Endpoint] {
        [
            .response(
                [.get], "/oncall/links/{token}", "Shows what a signed link of a message does, with a button.",
                permission: .probe, parameters: [Self.token], response: .file(contentType: "text/html"), errors: .page,
                showLink),
            .response(
                [.post], "/oncall/links/{token}", "Does what a signed link says, once.", permission: .probe,
                parameters: [Self.token], response: .file(contentType: "text/html"), errors: .page,
                isSlow: true, followLink),
        ]
    }

    private func showLink(_ call: APIRequest) -> HTTPServerResponse {
        let link: PageLinks.Link
        do throws(PageLinks.Refusal) { link = try sources.onCall.link(call.pathParameters[0]) } catch {
            return Self.refusal(error)
        }
        guard let entry = sources.onCall.book().entries[link.page] else { return Self.gone }
        if entry.usedLinks.contains(link.id) { return Self.used(entry) }
        let state = entry.page.isResolved ? "It is resolved." : "It is \(entry.page.state.name)."
        return LinkPage(
            status: 200, heading: entry.problem.title, lines: ["Page \(entry.page.id). \(state)"],
            button: link.verb == .acknowledge ? "Acknowledge" : "Resolve"
        ).response
    }

    private func followLink(_ call: APIRequest) -> HTTPServerResponse {
        let link: PageLinks.Link
        do throws(PageLinks.Refusal) { link = try sources.onCall.link(call.pathParameters[0]) } catch {
            return Self.refusal(error)
        }
        let actor = PageActor(
            identity: link.recipient, method: "link",
            peer: call.principal.address.isEmpty ? nil : call.principal.address)
        let order = PageOrder(link.verb == .acknowledge ? .acknowledge : .resolve, by: actor, link: link.id)
        let outcome: PageOutcome
        do throws(APIError) { outcome = try self.order(order, page: link.page) } catch {
            return LinkPage(status: 503, heading: "Not done", lines: [error.message, "Try again in a moment."]).response
        }
        let entry = sources.onCall.book().entries[link.page]
        switch outcome {
        case .done:
            let done = link.verb == .acknowledge ? "Acknowledged" : "Resolved"
            return LinkPage(status: 200, heading: done, lines: [entry?.problem.title ?? "", "Page \(link.page)."])
                .response
        case .unchanged(let reason), .refused(let reason):
            return LinkPage(status: 409, heading: "Nothing to do", lines: [reason]).response
        case .unknownPage: return Self.gone
        case .linkIsUsed: return entry.map(Self.used) ?? Self.gone
        }
    }

    private static func refusal(_ refusal: PageLinks.Refusal) -> HTTPServerResponse {
        switch refusal {
        case .forged:
            LinkPage(status: 404, heading: "No such link", lines: ["The link is damaged, or its key was changed."])
                .response
        case .expired: LinkPage(status: 410, heading: "The link has expired", lines: []).response
        }
    }

    private static var gone: HTTPServerResponse {
        LinkPage(status: 410, heading: "The page is no longer known", lines: ["It was resolved some time ago."])
            .response
    }

    private static func used(_ entry: PageBook.Entry) -> HTTPServerResponse {
        LinkPage(
            status: 410, heading: "The link was used before",
            lines: [entry.problem.title, "Page \(entry.page.id) is \(entry.page.state.name)."]
        ).response
    }
}

/// A small page without scripts. A value.
private struct LinkPage {
    var status: Int
    var heading: String
    var lines: [String]
    /// The text of a button that posts to the same address.
    var button: String?

    var response: HTTPServerResponse {
        var text = """
            <!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tribune</title>
            <meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">
            <style>body{font:18px system-ui,sans-serif;margin:2rem;max-width:40rem}
            button{font:inherit;padding:.6rem 1.2rem}</style></head><body><h1>\(Self.escaped(heading))</h1>

            """
        for line in lines where !line.isEmpty { text += "<p>\(Self.escaped(line))</p>\n" }
        if let button { text += "<form method=\"post\"><button>\(Self.escaped(button))</button></form>\n" }
        text += "</body></html>\n"
        return HTTPServerResponse(
            status: status,
            headers: [
                ("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store"),
                ("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY"),
                (
                    "Content-Security-Policy",
                    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
                ),
            ], body: Array(text.utf8))
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
    }
}
