internal import Identity
internal import JSON
internal import OnCall
internal import OnCallRunner
internal import WebCore
internal import WebServer

/// Browsers that are notified of the calls to a person (Web Push). Their addresses and keys are never shown.
extension TribuneAPI {
    private static let browser = Parameter.path("browser", .string, "The id of a browser.")

    var browserEndpoints: [Endpoint] {
        [
            .data(
                [.get], "/api/v1/oncall/browsers",
                "Lists the browsers that are notified, with the key that browsers subscribe with.", needsStore: false,
                refusesUnknownParameters: true, browsers),
            .data(
                [.post], "/api/v1/oncall/browsers", "Lets a browser be notified of the calls to a person.",
                permission: .silence,
                parameters: [
                    .required("person", .string, "Whose calls."),
                    .required("endpoint", .string, "The address of the browser's push subscription."),
                    .required("p256dh", .string, "The key of the subscription, in base64url."),
                    .required("auth", .string, "The secret of the subscription, in base64url."),
                    .optional("name", .string, "What the person calls the browser."),
                ], needsStore: false, refusesUnknownParameters: true, addBrowser),
            .data(
                [.delete], "/api/v1/oncall/browsers/{browser}", "Lets a browser not be notified any more.",
                permission: .silence, parameters: [Self.browser], needsStore: false, refusesUnknownParameters: true,
                removeBrowser),
        ]
    }

    private func browsers(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let browsers = sources.onCall.book().browsers.values.sorted {
            ($0.person, $0.at, $0.id) < ($1.person, $1.at, $1.id)
        }
        writer.object { writer in
            writer.member("key", orNull: sources.onCall.pushKey())
            writer.name("browsers")
            writer.array(browsers) { Self.write($1, into: &$0) }
        }
        return APIResult()
    }

    private static func write(_ browser: Browser, into writer: inout JSONWriter) {
        writer.object {
            $0.member("browser", browser.id)
            $0.member("person", browser.person)
            $0.member("name", browser.name)
            $0.member("service", browser.address.service)
            $0.member("at", browser.at)
        }
    }

    private func addBrowser(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let address = Browser.Address(endpoint: call["endpoint"], key: call["p256dh"], secret: call["auth"])
        return try order(.add(person: call["person"], address, name: call["name"]), &writer)
    }

    private func removeBrowser(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        try order(.remove(call.pathParameters[0]), &writer)
    }

    private func order(_ order: BrowserOrder, _ writer: inout JSONWriter) throws(APIError) -> APIResult {
        let outcome: BrowserOutcome
        do throws(OnCallRefusal) { outcome = try sources.onCall.orderBrowser(order) } catch {
            throw APIError(.unavailable, error.description)
        }
        switch outcome {
        case .done(let browser): Self.write(browser, into: &writer)
        case .refused(let reason): throw APIError(.conflict, reason)
        case .unknown(let text): throw APIError(.notFound, "no \(text)")
        }
        return APIResult()
    }
}
