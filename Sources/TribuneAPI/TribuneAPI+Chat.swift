internal import Identity
internal import JSON
internal import OnCall
internal import OnCallRunner
internal import WebCore
internal import WebServer

/// Buttons of chat messages. Slack signs its requests; Mattermost sends back a text that only its server and this
/// process have. Both name the user.
extension TribuneAPI {
    private static let bodyLimit = 256 << 10

    var chatEndpoints: [Endpoint] {
        [
            .response(
                [.post], "/oncall/chat/slack", "Takes a button of a Slack message, signed by Slack.",
                permission: .probe,
                parameters: [.required("payload", .string, "The interaction as Slack describes it, in JSON.")],
                body: .form, response: .json, errors: .envelope, isSlow: true, slackButton),
            .response(
                [.post], "/oncall/chat/mattermost", "Takes a button of a Mattermost message.", permission: .probe,
                body: .json, response: .json, errors: .envelope, isSlow: true, mattermostButton),
        ]
    }

    private func slackButton(_ call: APIRequest) -> HTTPServerResponse {
        let body = call.request.body
        guard body.count <= Self.bodyLimit else {
            return .error(APIError(.bodyTooLong, "the body is longer than \(Self.bodyLimit) bytes"))
        }
        do throws(ChatRefusal) {
            try sources.onCall.checkSlack(
                body, call.request[header: "X-Slack-Request-Timestamp"] ?? "",
                call.request[header: "X-Slack-Signature"] ?? "")
        } catch {
            return Self.chatRefusal(error)
        }
        let action: ChatAction
        do throws(InboundError) { action = try ChatAction(slack: call["payload"]) } catch {
            return .error(APIError(.badData, error.description))
        }
        return press(action, .slack, call) { text in
            var writer = JSONWriter()
            writer.object {
                $0.member("response_type", "ephemeral")
                $0.member("replace_original", false)
                $0.member("text", text)
            }
            return .json(writer.bytes)
        }
    }

    private func mattermostButton(_ call: APIRequest) -> HTTPServerResponse {
        let body = call.request.body
        guard body.count <= Self.bodyLimit else {
            return .error(APIError(.bodyTooLong, "the body is longer than \(Self.bodyLimit) bytes"))
        }
        let action: ChatAction
        do throws(InboundError) { action = try ChatAction(mattermost: body) } catch {
            return .error(APIError(.badData, error.description))
        }
        return press(action, .mattermost, call) { text in
            var writer = JSONWriter()
            writer.object { $0.member("ephemeral_text", text) }
            return .json(writer.bytes)
        }
    }

    /// Carries the order out. What the person should know is shown to them alone.
    private func press(
        _ action: ChatAction, _ service: ChatAction.Service, _ call: APIRequest,
        _ answer: (String) -> HTTPServerResponse
    ) -> HTTPServerResponse {
        let address = call.principal.address
        let pressed: OnCallRunner.ChatOrder
        do throws(ChatRefusal) {
            pressed = try sources.onCall.chatOrder(action, service, address.isEmpty ? nil : address)
        } catch {
            switch error {
            case .late: return answer("The button is too old. Use the newest message about the page.")
            case .stranger(let user):
                return answer("\(user) is nobody's id at \(service.rawValue) in oncall.yml, so nothing was done.")
            case .unconfigured, .forged, .replayed: return Self.chatRefusal(error)
            }
        }
        let outcome: PageOutcome
        do throws(APIError) { outcome = try order(pressed.order, page: pressed.page) } catch {
            return answer("Not done: \(error.message). Try again in a moment.")
        }
        let name = pressed.order.actor.name
        switch outcome {
        case .done:
            switch pressed.verb {
            case .acknowledge: return answer("Page \(pressed.page) is acknowledged by \(name).")
            case .resolve: return answer("Page \(pressed.page) is resolved by \(name).")
            case .snooze: return answer("Nobody is called about page \(pressed.page) for an hour.")
            case .escalate: return answer("The next step of page \(pressed.page) is called now.")
            }
        case .unchanged(let reason), .refused(let reason): return answer("Nothing to do: \(reason).")
        case .unknownPage, .linkIsUsed: return answer("Page \(pressed.page) was resolved some time ago.")
        }
    }

    private static func chatRefusal(_ refusal: ChatRefusal) -> HTTPServerResponse {
        switch refusal {
        case .unconfigured: .error(APIError(.notFound, "oncall.yml does not configure this chat"))
        case .forged, .stranger: .error(APIError(.forbidden, "the signature is not valid"))
        case .late: .error(APIError(.forbidden, "the request is not of the last five minutes"))
        case .replayed: .error(APIError(.conflict, "the request came before"))
        }
    }
}
