import CurlHTTP
import Glibc
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

/// What receivers of a test have heard.
final class PageInbox: Sendable {
    /// A message of a page, or another one.
    struct Message: Equatable, Sendable {
        var path: String
        var status: String
        var page: String
        var call: String
        var title: String
        /// The paths of the links.
        var acknowledge: String
        var resolve: String
    }

    private let all = Mutex<[Message]>([])
    /// How many of the next requests to a path are refused with status 503.
    let refusals = Mutex<[String: Int]>([:])

    /// The path whose next request is heard and answered only after ``release()``.
    private let held = Mutex<String?>(nil)
    private let isReleased = Atomic(false)

    /// Lets the next request to `path` wait for its answer until ``release()``.
    func hold(_ path: String) { held.withLock { $0 = path } }

    /// Answers the request that waits.
    func release() { isReleased.store(true, ordering: .relaxed) }

    /// Takes a request of Alertmanager's webhook.
    func take(_ request: LoopbackServer.Request) -> LoopbackServer.Reply {
        let path = request.target
        let isRefused = refusals.withLock { refusals in
            guard let left = refusals[path], left > 0 else { return false }
            refusals[path] = left - 1
            return true
        }
        if isRefused { return .ok("", status: "503 Service Unavailable") }
        let json = (try? JSON(parsing: request.body)) ?? .null
        let annotations = json["commonAnnotations"] ?? .null
        func link(_ name: String) -> String {
            let url = annotations[name]?.text ?? ""
            return url.firstRange(of: "/oncall/").map { String(url[$0.lowerBound...]) } ?? ""
        }
        let message = Message(
            path: String(path.dropFirst()), status: json["status"]?.text ?? "", page: annotations["page"]?.text ?? "",
            call: annotations["call"]?.text ?? "", title: annotations["summary"]?.text ?? "",
            acknowledge: link("acknowledge"), resolve: link("resolve"))
        all.withLock { $0.append(message) }
        let waits = held.withLock { held in
            defer { if held == path { held = nil } }
            return held == path
        }
        if waits { _ = Loopback.eventually { isReleased.load(ordering: .relaxed) } }
        return .ok("")
    }

    var messages: [Message] { all.withLock { $0 } }

    /// The messages of pages to `path`, as `call status`.
    func heard(_ path: String) -> [String] { messages.filter { $0.path == path }.map(\.status) }
}

/// A running Tribune with an on-call file, receivers `first`, `second` and `third`, and the receiver `pages`, which
/// opens pages.
final class PagingWorld {
    let inbox = PageInbox()
    let hook: LoopbackServer
    private(set) var tribune: RunningTribune!
    private let client = HTTPClient()

    /// - Parameters:
    ///   - policy: the steps of the policy `default`.
    ///   - tribuneFile: more lines of the tribune.yml.
    init(
        policy: String, more: String = "", tribuneFile: String = "", files: [String: String] = [:],
        routes: String = "{receiver: pages, group_by: [alertname], group_wait: 0s, group_interval: 500ms}",
        environment: [String] = []
    ) throws {
        hook = LoopbackServer { [inbox] in inbox.take($0) }
        tribune = try RunningTribune(
            Self.files(hook, policy, more, tribuneFile, files, routes), environment: environment)
    }

    /// The files of such a Tribune.
    static func files(
        _ hook: LoopbackServer, _ policy: String, _ more: String, _ tribuneFile: String, _ files: [String: String],
        _ routes: String
    ) -> [String: String] {
        let receivers = ["first", "second", "third"].map {
            "- {name: \($0), webhook_configs: [{url: '\(hook.url)/\($0)'}]}\n"
        }.joined()
        let own = [
            "prometheus.yml": "scrape_configs: []\n",
            "alertmanager.yml": "route: \(routes)\nreceivers:\n- {name: pages}\n\(receivers)",
            "tribune.yml": """
            prometheus_config: prometheus.yml
            alertmanager_config: alertmanager.yml
            oncall_config: oncall.yml
            \(tribuneFile)
            """,
            "oncall.yml": """
            people: [{name: ada, contacts: [{receiver: first}]}]
            policies:
            - name: default
              \(policy)
            receivers: [{name: pages, policy: default}]
            \(more)
            """,
        ]
        return own.merging(files) { $1 }
    }

    deinit { hook.stop() }

    /// Sends an alert as a Prometheus does.
    func post(_ name: String, resolved: Bool = false, severity: String = "critical") throws {
        let end = resolved ? ",\"endsAt\":\"2026-01-02T00:00:00Z\"" : ""
        let body =
            "[{\"labels\":{\"alertname\":\"\(name)\",\"severity\":\"\(severity)\"},\"startsAt\":\"2026-01-01T00:00:00Z\"\(end)}]"
        #expect(try send("POST", "/api/v2/alerts", body).status == 200)
    }

    @discardableResult
    func send(_ method: String, _ path: String, _ body: String = "") throws -> HTTPResponse {
        var request = HTTPRequest(url: "http://127.0.0.1:\(tribune.port)\(path)")
        request.method = method
        if !body.isEmpty {
            request.headers = [("Content-Type", "application/json")]
            request.body = Array(body.utf8)
        }
        return try client.send(request)
    }

    /// The pages that the API lists.
    func pages(_ state: String = "open") -> [JSON] {
        guard let answer = try? tribune.get("/api/v1/oncall/pages?state=\(state)") else { return [] }
        return (try? JSON(parsing: answer.body))?["data"]?["pages"]?.elements ?? []
    }

    /// The entries of the record about pages, the oldest first, as `kind state`.
    func record() throws -> [JSON] {
        let kinds = ["page", "acknowledgement"]
        var found: [JSON] = []
        for kind in kinds {
            let answer = try JSON(parsing: try tribune.get("/api/v1/history/events?limit=1000&kind=\(kind)").body)
            found += answer["data"]?["events"]?.elements ?? []
        }
        return found
    }

    /// The one open page about `title`.
    func page(_ title: String) -> JSON? { pages("all").first { $0["title"]?.text == title } }
}
