import CurlHTTP
import Foundation
import Glibc
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

/// A canary whose metrics depend on the traffic that a controller gives it.
final class Canary: Sendable {
    struct State: Sendable {
        /// The share of traffic in percent; without traffic there are no series of the canary.
        var weight = 0
        /// How many of a hundred requests fail.
        var failing = 0
        /// Whether the canary shows its metrics.
        var isMeasured = true
        var served = 0
        var failed = 0
    }

    let state = Mutex(State())

    /// The exposition of one scrape.
    func metrics() -> String {
        state.withLock { state in
            guard state.weight > 0, state.isMeasured else { return "up_and_well 1\n" }
            state.served += 100
            state.failed += state.failing
            return """
                # TYPE http_requests_total counter
                http_requests_total{track="canary"} \(state.served)
                # TYPE http_failures_total counter
                http_failures_total{track="canary"} \(state.failed)

                """
        }
    }

    var weight: Int {
        get { state.withLock { $0.weight } }
        set { state.withLock { $0.weight = newValue } }
    }

    var failing: Int {
        get { state.withLock { $0.failing } }
        set { state.withLock { $0.failing = newValue } }
    }
}

/// A Tribune that judges one canary, and the credentials of its controllers.
final class JudgingTribune {
    let tribune: RunningTribune
    let canary = Canary()
    private let server: LoopbackServer
    /// `flagger:PASSWORD`, as in the address of a webhook.
    static let user = "flagger:correct horse"
    let token: String

    init() throws {
        let canary = canary
        server = LoopbackServer { _ in .ok(canary.metrics()) }
        let hash = try TribuneProgram.run(["access", "password"], input: "correct horse\n").output.dropLast()
        let made = try TribuneProgram.run(["access", "token", "argo", "--role=service"]).output.split(separator: "\n")
        token = String(made[0])
        tribune = try RunningTribune([
            "tribune.yml": """
            prometheus_config: prometheus.yml
            alertmanager_config: alertmanager.yml
            access_config: access.yml
            verdicts: [{name: podinfo}]
            """,
            "alertmanager.yml": "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n",
            "access.yml": """
            users: [{name: flagger, password_hash: \(hash), roles: [service]}]
            tokens:
            \(made[1])
            """,
            "prometheus.yml": """
            global: {scrape_interval: 100ms, scrape_timeout: 100ms, evaluation_interval: 200ms}
            rule_files: [rules.yml]
            scrape_configs:
            - job_name: podinfo
              static_configs: [{targets: ['\(server.url.dropFirst("http://".count))']}]
            """,
            "rules.yml": """
            groups:
            - name: podinfo
              interval: 200ms
              rules:
              - rollback: ErrorsHigh
                expr: |
                  sum(rate(http_failures_total{track="canary"}[1s])) / sum(rate(http_requests_total{track="canary"}[1s]))
                trip: "> 0.05"
                consecutive: 2
                missing: {policy: hold, after: 1s, then: alert}
                cooldown: 2s
                action: {verdict: podinfo}
            """,
        ])
    }

    deinit { server.stop() }

    func verdict() throws -> JSON {
        let body = try tribune.get("/api/v1/verdicts").body
        return try JSON(parsing: body)["data"]?["verdicts"]?.elements?.first ?? .null
    }

    /// The texts of `state` of the ledger's entries about the verdict, oldest first.
    func recorded() throws -> [String] {
        let body = try tribune.get("/api/v1/history/events?kind=verdict&limit=500").body
        let events = try JSON(parsing: body)["data"]?["events"]?.elements ?? []
        return events.reversed().map { $0["body"]?["state"]?.text ?? "?" }
    }

    func alertNames() throws -> Set<String> {
        let alerts = try JSON(parsing: try tribune.get("/api/v2/alerts").body).elements ?? []
        return Set(alerts.compactMap { $0["labels"]?["alertname"]?.text })
    }
}

/// Flagger's part: the order in which it asks, and what it does with the answers. One step is one analysis interval.
///
/// Written from its scheduler: confirm-rollout before anything; at each interval first the rollback hooks; pre-rollout
/// while the canary has no traffic; confirm-traffic-increase before each increase; confirm-promotion at the maximum;
/// post-rollout at the end. A status above 202 is "no".
final class FlaggerLoop {
    enum Phase: String {
        case initialized = "Initialized"
        case progressing = "Progressing"
        case waiting = "Waiting"
        case waitingPromotion = "WaitingPromotion"
        case succeeded = "Succeeded"
        case failed = "Failed"
    }

    private let judge: JudgingTribune
    private(set) var phase = Phase.initialized
    let checksum: String
    private(set) var failedChecks = 0
    /// What the webhooks answered last, by type.
    private(set) var answers: [String: String] = [:]
    private(set) var log: [String] = []
    private static let threshold = 10
    private static let weights = [20, 40, 60]

    init(_ judge: JudgingTribune, checksum: String) {
        self.judge = judge
        self.checksum = checksum
    }

    /// Sends a webhook byte by byte as Flagger does: Go's client, the members in the order of the structure.
    private func call(_ type: String, _ phase: Phase) -> Bool {
        let body =
            #"{"name":"podinfo","namespace":"test","phase":"\#(phase.rawValue)","checksum":"\#(checksum)","metadata":{"team":"shop"}}"#
        let client = RawHTTPClient(port: judge.tribune.port)
        client.send(
            "POST /api/v1/verdicts/podinfo/flagger?type=\(type) HTTP/1.1\r\nHost: 127.0.0.1:\(judge.tribune.port)\r\n"
                + "User-Agent: Go-http-client/1.1\r\nContent-Length: \(body.utf8.count)\r\n"
                + "Authorization: Basic \(Data(JudgingTribune.user.utf8).base64EncodedString())\r\nContent-Type: application/json\r\n"
                + "Accept-Encoding: gzip\r\n\r\n\(body)")
        guard let answer = client.answer() else { return false }
        answers[type] = "\(answer.status) \(answer.text)"
        log.append("\(type) \(answer.status)")
        return answer.status <= 202
    }

    private func fail() {
        judge.canary.weight = 0
        phase = .failed
        _ = call("post-rollout", .failed)
    }

    /// One interval.
    func step() {
        switch phase {
        case .succeeded, .failed: return
        case .initialized, .waiting:
            phase = call("confirm-rollout", .progressing) ? .progressing : .waiting
            return
        case .progressing, .waitingPromotion: break
        }
        if call("rollback", phase) { return fail() }
        if failedChecks >= Self.threshold { return fail() }
        if judge.canary.weight == 0, !call("pre-rollout", .progressing) {
            failedChecks += 1
            return
        }
        if judge.canary.weight < Self.weights.last ?? 0 {
            guard call("confirm-traffic-increase", .progressing) else { return }
            judge.canary.weight = Self.weights.first { $0 > judge.canary.weight } ?? 0
            return
        }
        guard call("confirm-promotion", .progressing) else {
            phase = .waitingPromotion
            return
        }
        judge.canary.weight = 0
        phase = .succeeded
        _ = call("post-rollout", .succeeded)
    }

    /// Steps until `condition` holds. Returns whether it did.
    func run(until condition: () throws -> Bool) rethrows -> Bool {
        try Loopback.eventually {
            if try condition() { return true }
            step()
            usleep(100_000)
            return false
        }
    }
}

/// Argo Rollouts' part: one metric of an analysis run with the web provider.
///
/// Written from its provider and its assessment: a status outside 2xx is an error; the value at the JSONPath meets the
/// success condition, or the failure condition, or neither, which is inconclusive; each kind has a limit.
struct ArgoAnalysis {
    enum Phase { case running, successful, failed, inconclusive, error }

    let judge: JudgingTribune
    let release: String
    var count: Int?
    var failureLimit = 0
    var inconclusiveLimit = 0
    private var (successful, failed, inconclusive, errors) = (0, 0, 0, 0)

    init(_ judge: JudgingTribune, release: String, count: Int? = nil, inconclusiveLimit: Int = 0) {
        self.judge = judge
        self.release = release
        self.count = count
        self.inconclusiveLimit = inconclusiveLimit
    }

    /// One measurement, and the phase of the metric after it.
    mutating func measure() -> Phase {
        let client = RawHTTPClient(port: judge.tribune.port)
        client.send(
            "GET /api/v1/verdicts/podinfo?release=\(release) HTTP/1.1\r\nHost: 127.0.0.1:\(judge.tribune.port)\r\n"
                + "User-Agent: Go-http-client/1.1\r\nAuthorization: Bearer \(judge.token)\r\n"
                + "Accept-Encoding: gzip\r\n\r\n")
        let answer = client.answer()
        // {$.data}
        guard let answer, (200..<300).contains(answer.status), let value = (try? JSON(parsing: answer.body))?["data"]
        else {
            errors += 1
            return errors > 4 ? .error : .running
        }
        errors = 0
        switch value["verdict"]?.text {
        case "healthy": successful += 1
        case "violated": failed += 1
        case _: inconclusive += 1
        }
        if failed > failureLimit { return .failed }
        if inconclusive > inconclusiveLimit { return .inconclusive }
        return count.map { successful + failed + inconclusive >= $0 } ?? false ? .successful : .running
    }
}
