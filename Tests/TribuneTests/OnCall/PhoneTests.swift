import CurlHTTP
import JSON
import Runtime
import Synchronization
import TLS
import TestSupport
import Testing

/// Texts and calls to a phone by the webhooks of a provider, with the configuration that docs/operations/oncall.md
/// shows.
@Suite struct PhoneTests {
    /// Takes what Sinch's documentation of its SMS and Voice API requires, and nothing else.
    private final class Provider: Sendable {
        let texts = Mutex<[String]>([])
        let spoken = Mutex<[String]>([])
        let faults = Mutex<[String]>([])

        func take(_ request: LoopbackServer.Request) -> LoopbackServer.Reply {
            let json = (try? JSON(parsing: request.body)) ?? .null
            let fields = Set((json.members ?? []).map(\.name))
            let authorization = request.headers["authorization"] ?? ""
            func refused(_ text: String) -> LoopbackServer.Reply {
                faults.withLock { $0.append("\(text): \(json.encoded)") }
                return .ok("", status: "400 Bad Request")
            }
            guard request.headers["content-type"]?.hasPrefix("application/json") == true else { return refused("type") }
            switch request.target {
            case "/xms/v1/plan/batches":
                guard authorization == "Bearer sinch-token-1" else { return refused("token") }
                guard fields == ["from", "to", "body"], json["from"]?.text?.hasPrefix("+") == true,
                    json["to"]?.elements?.allSatisfy({ $0.text?.hasPrefix("+") == true }) == true,
                    let body = json["body"]?.text, (1...2000).contains(body.count)
                else { return refused("text") }
                texts.withLock { $0.append(body) }
                return .ok("{\"id\":\"01FC66621XXXXX119Z8PMV1QPQ\"}", status: "201 Created")
            case "/calling/v1/callouts":
                let basic = "Basic " + Base64.text(Array("application-key:sinch-secret-1".utf8))
                guard authorization == basic else { return refused("basic") }
                let call = json["ttsCallout"] ?? .null
                guard fields == ["method", "ttsCallout"], json["method"]?.text == "ttsCallout",
                    call["destination"]?["type"]?.text == "number",
                    call["destination"]?["endpoint"]?.text?.hasPrefix("+") == true,
                    call["cli"]?.text?.hasPrefix("+") == true, let text = call["text"]?.text, text.count <= 600
                else { return refused("call") }
                spoken.withLock { $0.append(text) }
                return .ok("{\"callId\":\"1\"}")
            case let target: return refused(target)
            }
        }
    }

    @Test func `a text comes at once with the link that acknowledges, and a call after it`() throws {
        let shown = try #require(
            OnCallPageTests.blocks("yaml").first { $0.contains("ttsCallout") }, "the page shows no calls to a phone")
        let provider = Provider()
        let server = LoopbackServer { provider.take($0) }
        defer { server.stop() }
        let receivers = shown.replacing("https://us.sms.api.sinch.com", with: server.url)
            .replacing("https://calling.api.sinch.com", with: server.url).replacing("SERVICE_PLAN", with: "plan")
            .replacing("APPLICATION_KEY", with: "application-key").replacing("receivers:\n", with: "")
        let world = try PagingWorld(
            policy: "",
            files: [
                "alertmanager.yml": """
                route: {receiver: pages, group_by: [alertname], group_wait: 0s, group_interval: 500ms}
                receivers:
                - {name: pages}
                \(receivers)
                """,
                "oncall.yml": """
                people: [{name: ada, contacts: [{receiver: ada_sms}, {receiver: ada_phone, after: 1s}]}]
                policies: [{name: default, steps: [{notify: [{person: ada}]}]}]
                receivers: [{name: pages, policy: default}]
                """, "sinch-token": "sinch-token-1\n", "sinch-secret": "sinch-secret-1\n",
            ])
        try world.post("Down")
        #expect(
            Loopback.eventually { provider.spoken.withLock { !$0.isEmpty } },
            "\(provider.faults.withLock { $0 }) \(world.tribune.log)")
        #expect(provider.faults.withLock { $0 } == [])
        #expect(provider.spoken.withLock { $0.first }?.contains("Down") == true)
        let text = try #require(provider.texts.withLock { $0.first })
        #expect(text.hasPrefix("Down (critical)"))
        let link = try #require(text.firstRange(of: "/oncall/links/")).lowerBound
        #expect(try world.send("POST", String(text[link...].prefix { !$0.isWhitespace })).status == 200)
        #expect(world.page("Down")?["by"]?.text == "ada")
    }
}
