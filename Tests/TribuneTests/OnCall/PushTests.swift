import CurlHTTP
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// Calls to browsers, from the alert to the text that a browser decrypts, with a strict push service on loopback.
@Suite struct PushTests {
    private let service: PushService
    private let world: PagingWorld

    init() throws {
        service = try PushService()
        world = try PagingWorld(
            policy: "steps: [{notify: [{person: bob}]}]",
            more: service.settings,
            files: [
                "oncall.yml": """
                people:
                - {name: ada, contacts: [{receiver: first}]}
                - {name: bob, contacts: [{push: true}]}
                policies:
                - name: default
                  steps: [{notify: [{person: bob}]}]
                receivers: [{name: pages, policy: default}]
                \(service.settings)
                """
            ])
    }

    private var data: JSON {
        (try? JSON(parsing: world.tribune.get("/api/v1/oncall/browsers").body))?["data"] ?? .null
    }

    private func form(
        _ method: String, _ path: String, _ body: String = "", token: Bool = true, isProxied: Bool = false
    ) throws -> (
        status: Int, json: JSON, text: String
    ) {
        var request = HTTPRequest(method: method, url: "http://127.0.0.1:\(world.tribune.port)\(path)")
        if token, let local = world.tribune.localToken { request.authorize(credentials: local) }
        if isProxied { request.headers.append(("X-Forwarded-For", "127.0.0.1")) }
        if !body.isEmpty {
            request.headers.append(("Content-Type", "application/x-www-form-urlencoded"))
            request.body = Array(body.utf8)
        }
        let response = try HTTPClient().send(request)
        return (
            response.status, (try? JSON(parsing: response.body)) ?? .null,
            String(decoding: response.body, as: UTF8.self)
        )
    }

    /// A browser of the stand-in that bob has added.
    private func added() throws -> (PushService.Subscription, id: String) {
        let subscription = try service.subscribe(data["key"]?.text ?? "")
        let answer = try form("POST", "/api/v1/oncall/browsers", subscription.form("bob"))
        try #require(answer.status == 200, "\(answer.text)")
        return (subscription, answer.json["data"]?["browser"]?.text ?? "")
    }

    private func heard(_ count: Int) -> [PushService.Message] {
        #expect(
            Loopback.eventually { service.heard().messages.count >= count },
            "\(service.heard()) \(service.log) \(world.tribune.log)")
        let (messages, faults) = service.heard()
        #expect(faults == [])
        return messages
    }

    @Test func `a page is shown in a browser, acknowledged from there, and its end takes its place`() throws {
        _ = try added()
        try world.post("Down")
        let call = try #require(heard(1).first)
        let page = try #require(world.page("Down")?["page"]?.text)
        #expect(call.topic == page && call.urgency == "high" && call.lifetime == 24 * 3600)
        #expect(call.text["page"]?.text == page && call.text["state"]?.text == "firing")
        #expect(call.text["title"]?.text == "Down" && call.text["severity"]?.text == "critical")
        let link = try #require(call.text["acknowledge"]?.text)
        #expect(link.hasPrefix("/oncall/links/"))
        #expect(try form("POST", link, token: false).status == 200)
        #expect(world.page("Down")?["state"]?.text == "acknowledged")
        let answered = try #require(heard(2).last)
        #expect(answered.topic == page && answered.urgency == "normal")
        #expect(answered.text["state"]?.text == "acknowledged" && answered.text["by"]?.text == "bob")
        try world.post("Down", resolved: true)
        let end = try #require(heard(3).last)
        #expect(end.topic == page && end.text["state"]?.text == "resolved" && end.text["acknowledge"] == nil)
    }

    @Test func `a browser that is gone is forgotten, and the person who is not reached is an alert`() throws {
        let (first, _) = try added()
        let (second, kept) = try added()
        try service.answer(first, 410)
        try world.post("One")
        #expect(heard(1).first?.browser == second.endpoint.split(separator: "/").last.map(String.init))
        #expect(
            Loopback.eventually { data["browsers"]?.elements?.compactMap { $0["browser"]?.text } == [kept] },
            "\(data.encoded)")
        try service.answer(second, 404)
        try world.post("Two")
        #expect(Loopback.eventually { world.page("Two")?["alarm"]?.text == "undelivered" }, "\(world.tribune.log)")
        #expect(data["browsers"]?.elements?.isEmpty == true)
        #expect(try added().id != kept)
    }

    @Test func `a service that is busy gets the call again`() throws {
        let (browser, _) = try added()
        try service.answer(browser, 503, count: 2)
        try world.post("Busy")
        #expect(heard(1).first?.text["title"]?.text == "Busy")
        #expect(world.page("Busy")?["alarm"]?.text == nil)
    }

    @Test func `a browser, its key and the key of this server survive a kill, and no secret is shown`() throws {
        let key = data["key"]?.text
        let (browser, id) = try added()
        world.tribune.process.signal(SIGKILL)
        _ = world.tribune.process.wait()
        try world.tribune.restart()
        let shown = try world.tribune.get("/api/v1/oncall/browsers")
        let text = String(decoding: shown.body, as: UTF8.self)
        #expect(data["key"]?.text == key)
        #expect(data["browsers"]?.elements?.map { $0["browser"]?.text } == [id])
        #expect(data["browsers"]?.elements?.first?["service"]?.text == "localhost:\(service.port)")
        for secret in [browser.endpoint, browser.key, browser.secret] { #expect(!text.contains(secret)) }
        #expect(!world.tribune.log.contains(browser.endpoint))
        try world.post("After")
        #expect(heard(1).first?.text["title"]?.text == "After")
        for name in ["push.pem", "links.key", "pages.journal"] {
            var status = stat()
            #expect(stat(world.tribune.directory.file("data/oncall/\(name)"), &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600, "\(name)")
        }
        #expect(try form("DELETE", "/api/v1/oncall/browsers/\(id)").status == 200)
        #expect(try form("DELETE", "/api/v1/oncall/browsers/\(id)").status == 404)
        #expect(data["browsers"]?.elements?.isEmpty == true)
    }

    @Test func `who may not answer pages adds no browser, and addresses elsewhere are refused`() throws {
        let browser = try service.subscribe(data["key"]?.text ?? "")
        // What came over a proxy is not from this machine.
        let stranger = try form("POST", "/api/v1/oncall/browsers", browser.form("bob"), token: false, isProxied: true)
        #expect(stranger.status == 401)
        var other = browser
        for (endpoint, status) in [
            ("http://localhost:\(service.port)/push/x", 409), ("https://127.0.0.1:\(service.port)/push/x", 409),
            ("https://169.254.169.254/latest", 409), ("https://example.org/push", 409),
        ] {
            other.endpoint = endpoint
            let answer = try form("POST", "/api/v1/oncall/browsers", other.form("bob"))
            #expect(answer.status == status, "\(endpoint): \(answer.text)")
        }
        other = browser
        other.key = String(browser.key.dropLast(4)) + "AAAA"
        #expect(try form("POST", "/api/v1/oncall/browsers", other.form("bob")).status == 409)
        other = browser
        other.secret = "AAAA"
        #expect(try form("POST", "/api/v1/oncall/browsers", other.form("bob")).status == 409)
        // ada has no contact {push: true}; eve is nobody.
        let ada = try form("POST", "/api/v1/oncall/browsers", browser.form("ada"))
        #expect(ada.status == 409 && ada.text.contains("{push: true}"))
        #expect(try form("POST", "/api/v1/oncall/browsers", browser.form("eve")).status == 404)
        #expect(data["browsers"]?.elements?.isEmpty == true)
    }
}
