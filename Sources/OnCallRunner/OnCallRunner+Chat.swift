internal import MetricModel
public import OnCall
internal import Runtime
internal import Synchronization

extension OnCallRunner {
    /// The order of a button, with the page and who pressed it. A value.
    public struct ChatOrder: Equatable, Sendable {
        /// The order.
        public var order: PageOrder
        /// The page.
        public var page: String
        /// The button that was pressed.
        public var verb: ChatAction.Verb
    }

    /// Checks that Slack sends the request, and reads nothing before.
    ///
    /// - Parameters:
    ///   - timestamp: the header `X-Slack-Request-Timestamp`.
    ///   - signature: the header `X-Slack-Signature`.
    public func checkSlack(body: [UInt8], timestamp: String, signature: String) throws(ChatRefusal) {
        guard let secret = current.withLock({ $0.configuration.onCall.slackSecret }) else { throw .unconfigured }
        if let refusal = slack.refusal(
            body: body, timestamp: timestamp, signature: signature, secret: secret.text, at: Self.wall)
        {
            throw refusal
        }
    }

    /// The order of a button that was pressed, if this service made the button and knows the person.
    public func order(
        of action: ChatAction, at service: ChatAction.Service, peer: String?
    ) throws(ChatRefusal) -> ChatOrder {
        let (links, configuration) = current.withLock { ($0.links, $0.configuration.onCall) }
        let button: PageLinks.Button
        do throws(PageLinks.Refusal) { button = try links.button(action.token, of: service, at: Self.wall) } catch {
            throw error == .expired ? .late : .forged
        }
        guard let person = configuration.roster.people.values.first(where: { $0.chat[service] == action.user }) else {
            throw .stranger(action.user)
        }
        let actor = PageActor(
            identity: person.name, method: service.rawValue, peer: peer, claimed: action.userName)
        return ChatOrder(
            order: PageOrder(button.verb.order(at: Self.wall), by: actor), page: button.page, verb: button.verb)
    }
}
