import JSON
import Synchronization
import TestSupport

/// The receivers of one notifier: a server that responds like each vendor, reports requests that the vendor would
/// refuse, and records every request with its step.
final class ReceiversStandIn: Sendable {
    /// The state shared by the threads of the server and the test.
    private final class Seen: Sendable {
        struct State {
            var step = 0
            var requests: [(step: Int, request: ReceivedRequest)] = []
            var refusals: [String] = []
        }
        let state = Mutex(State())
    }

    private let seen = Seen()
    private let server: LoopbackServer

    init() {
        server = LoopbackServer { [seen] request in
            let vendor = request.target.split(separator: "/").first.map(String.init) ?? ""
            if request.target.contains("/gettoken") {
                let token = #"{"errcode":0,"errmsg":"ok","access_token":"t","expires_in":7200}"#
                return .ok(token, type: "application/json")
            }
            let refusal = Self.refusal(of: request, vendor)
            seen.state.withLock { state in
                if let refusal { state.refusals.append("\(request.line): \(refusal)") }
                state.requests.append((state.step, ReceivedRequest(request)))
            }
            return refusal == nil ? Self.answer(of: vendor) : .ok(refusal!, status: "400 Bad Request")
        }
    }

    var url: String { server.url }
    var refusals: [String] { seen.state.withLock { $0.refusals } }

    func stop() { server.stop() }

    /// Requests belong to `step` from now on.
    func begin(_ step: Int) { seen.state.withLock { $0.step = step } }

    /// The count of each request in `step`, by world.
    func requests(in step: Int) -> [String: [ReceivedRequest: Int]] {
        var worlds: [String: [ReceivedRequest: Int]] = [:]
        for entry in seen.state.withLock({ $0.requests }) where entry.step == step {
            worlds[entry.request.world ?? "", default: [:]][entry.request, default: 0] += 1
        }
        return worlds
    }

    // MARK: Vendors

    private static func answer(of vendor: String) -> LoopbackServer.Reply {
        let json = "application/json"
        switch vendor {
        case "telegram":
            let chat = #"{"id":-7,"type":"group","title":"t"}"#
            return .ok(#"{"ok":true,"result":{"message_id":1,"date":1,"chat":\#(chat),"text":"t"}}"#, type: json)
        case "wechat": return .ok(#"{"errcode":0,"errmsg":"ok"}"#, type: json)
        case "pagerduty":
            return .ok(#"{"status":"success","dedup_key":"k"}"#, type: json, status: "202 Accepted")
        case "opsgenie": return .ok(#"{"result":"Request will be processed"}"#, type: json, status: "202 Accepted")
        case "discord": return .bytes(Array("HTTP/1.1 204 No Content\r\n\r\n".utf8))
        case "sns":
            let id = "<PublishResult><MessageId>1</MessageId></PublishResult>"
            return .ok("<PublishResponse>\(id)</PublishResponse>", type: "text/xml")
        default: return .ok("ok")
        }
    }

    /// Why the vendor refuses a request; `nil` if it does not.
    private static func refusal(of request: LoopbackServer.Request, _ vendor: String) -> String? {
        func demand(_ condition: Bool, _ what: String) -> String? { condition ? nil : what }
        if vendor == "sns" {
            let body = String(decoding: request.body, as: UTF8.self)
            return demand(body.contains("Action=Publish") && body.contains("Message="), "no message to publish")
                ?? demand(request.headers["authorization"]?.hasPrefix("AWS4-HMAC-SHA256 Cred") == true, "not signed")
        }
        if vendor == "telegram", request.headers["content-type"]?.hasPrefix("application/json") != true {
            return "the body is not JSON"
        }
        guard request.line.hasPrefix("POST "), let json = try? JSON(parsing: request.body) else {
            return "no JSON was posted"
        }
        func text(_ name: String) -> String { json[name]?.text ?? "" }
        switch vendor {
        case "slack":
            return demand(!text("channel").isEmpty, "no channel")
                ?? demand(json["attachments"]?.elements?.isEmpty == false, "no attachment")
        case "discord": return demand(json["embeds"]?.elements?.count == 1, "no embed")
        case "webex":
            return demand(!text("roomId").isEmpty && !text("markdown").isEmpty, "no room or text")
                ?? demand(request.headers["authorization"] == "Bearer webex-token", "no token")
        case "telegram":
            return demand(request.target == "/telegram/bottelegram-token/sendMessage", "no such method")
                ?? demand(!text("text").isEmpty && json["chat_id"] != nil, "no text or chat")
        case "wechat": return demand(!text("msgtype").isEmpty && json[text("msgtype")] != nil, "no message")
        case "pagerduty":
            let (action, payload) = (text("event_action"), json["payload"])
            return demand(!text("routing_key").isEmpty && !text("dedup_key").isEmpty, "no keys")
                ?? demand(["trigger", "acknowledge", "resolve"].contains(action), "no such action")
                ?? demand(
                    action != "trigger"
                        || ["critical", "error", "warning", "info"].contains(payload?["severity"]?.text ?? ""),
                    "no such severity")
                ?? demand(action != "trigger" || payload?["source"]?.text?.isEmpty == false, "no source")
                ?? demand(action != "trigger" || payload?["summary"]?.text?.isEmpty == false, "no summary")
        case "opsgenie": return demand(request.headers["authorization"] == "GenieKey opsgenie-key", "no key")
        case "victorops":
            return demand(
                ["CRITICAL", "WARNING", "INFO", "RECOVERY", "ACKNOWLEDGEMENT"].contains(text("message_type")),
                "no such type")
        case "hook": return demand(text("version") == "4" && json["alerts"]?.elements?.isEmpty == false, "no alerts")
        default: return "no such receiver"
        }
    }
}
