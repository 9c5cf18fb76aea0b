internal import JSON
public import MetricModel

/// A button of a chat message that somebody pressed. A value.
public struct ChatAction: Equatable, Sendable {
    /// A chat service whose buttons post to this process.
    public enum Service: String, Equatable, Sendable, CaseIterable {
        case slack
        case mattermost
    }

    /// The orders that buttons give.
    public enum Verb: String, Equatable, Sendable, CaseIterable {
        case acknowledge
        case resolve
        case snooze
        case escalate

        /// The word on the button.
        public var title: String {
            switch self {
            case .acknowledge: "Acknowledge"
            case .resolve: "Resolve"
            case .snooze: "Snooze 1h"
            case .escalate: "Escalate"
            }
        }

        /// The order at `now`. The button snoozes for an hour.
        public func order(at now: Timestamp) -> PageOrder.Verb {
            switch self {
            case .acknowledge: .acknowledge
            case .resolve: .resolve
            case .snooze: .snooze(until: now + .hours(1))
            case .escalate: .escalate
            }
        }
    }

    /// The id of the user at the service, which the user cannot choose.
    public let user: String
    /// The name of the user at the service.
    public let userName: String
    /// The text of the button, which this process wrote.
    public let token: String

    private static let tokenLimit = 2000

    /// Reads the payload of Slack: a button in an attachment (`interactive_message`) or in a block (`block_actions`).
    public init(slack payload: String) throws(InboundError) {
        let json: JSON
        do throws(JSONError) { json = try JSON(parsing: payload) } catch {
            throw InboundError("the payload is not JSON: \(error.description)")
        }
        let type = json["type"]?.text
        guard type == "interactive_message" || type == "block_actions" else {
            throw InboundError("type: expected interactive_message or block_actions")
        }
        guard let actions = json["actions"]?.elements, actions.count == 1, let token = actions[0]["value"]?.text else {
            throw InboundError("actions: expected one with a value")
        }
        let user = json["user"]
        // Attachments call the name `name`, blocks call it `username`.
        try self.init(user?["id"]?.text, user?["name"]?.text ?? user?["username"]?.text, token)
    }

    /// Reads the body of Mattermost's request of an interactive message.
    public init(mattermost body: [UInt8]) throws(InboundError) {
        let json: JSON
        do throws(JSONError) { json = try JSON(parsing: body) } catch {
            throw InboundError("the body is not JSON: \(error.description)")
        }
        guard let token = json["context"]?["token"]?.text else { throw InboundError("context.token: expected text") }
        try self.init(json["user_id"]?.text, json["user_name"]?.text, token)
    }

    private init(_ user: String?, _ name: String?, _ token: String) throws(InboundError) {
        guard let user, (1...100).contains(user.utf8.count) else { throw InboundError("the id of the user is missing") }
        guard token.utf8.count <= Self.tokenLimit else { throw InboundError("the value of the button is too long") }
        self.user = user
        userName = Problem.cut(name ?? user, to: 100)
        self.token = token
    }
}
