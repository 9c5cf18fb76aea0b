import Instrumentation
import JSON
import MetricModel
import MetricStore
import PromQL
import Rollback
import RuleModel
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import RemoteQuery
@testable import RuleEngine

/// The same rules over the own store and over Debian's servers, evaluation by evaluation, at the same times.
@Suite struct RulesOverServersTests {
    /// Asks the servers as the service does.
    private final class Servers: RuleServers {
        let servers = QueryServers(registry: Registry())

        func answer(
            _ query: RuleQuery, of server: String, until deadline: Int64, isCancelled: @escaping @Sendable () -> Bool
        ) throws(RuleFailure) -> QueryValue {
            do throws(QueryFault) {
                return try servers.value(query.expression, at: query.time, of: server, until: deadline)
            } catch {
                throw .unknown(error.description)
            }
        }

        func finished(asker: String, of server: String, failure: String?) {}
    }

    /// Keeps everything that the rules yield, as text.
    private final class Log: RuleSink {
        var lines: [String] = []
        private var machine: RollbackRule?
        private let stored: ([Sample]) throws -> Void

        init(_ stored: @escaping ([Sample]) throws -> Void) {
            self.stored = stored
        }

        func store(_ samples: [RuleSample], at time: Timestamp) throws(RuleFailure) {
            for sample in samples.sorted(by: { $0.labels < $1.labels }) {
                lines.append("\(time.milliseconds) \(sample.labels) \(Self.text(sample.value))")
            }
            do {
                try stored(samples.map { (labels: $0.labels, milliseconds: time.milliseconds, value: $0.value) })
            } catch {
                throw RuleFailure("\(error)")
            }
        }

        func send(_ alerts: [Alert]) {
            for alert in alerts {
                lines.append(
                    "\(alert.isResolved ? "resolved" : "firing") \(alert.labels) \(alert.annotations) "
                        + "\(alert.startsAt.milliseconds) \(Self.text(alert.value))")
            }
        }

        func measured(_ measurement: RollbackMeasurement) {
            var rule = machine ?? RollbackRule(measurement.definition)
            let elements = measurement.elements.map { element in
                "\(element.labels) \(Self.text(element.value)) \(element.counts) \(element.sampledAt?.milliseconds ?? 0)"
            }
            lines.append("measured \(elements) \(measurement.failure ?? "")")
            for action in rule.measured(measurement) {
                switch action {
                case .tripped(let trip): lines.append("tripped \(trip.labels)")
                case .cleared(let labels, _): lines.append("cleared \(labels)")
                case .violated, .missing, .frozen, .returned, .overflowed: continue
                }
            }
            machine = rule
        }

        func tripped(_ rule: String) -> [ActiveAlertSnapshot] { [] }

        /// The same digits for the last bit of a sum in another order.
        private static func text(_ value: Double) -> String {
            if value.isStaleMarker { return "stale" }
            return FloatText.general(value.magnitude < 1e6 ? (value * 1e9).rounded() / 1e9 : value)
        }
    }

    private static let rules = """
        groups:
        - name: g
          limit: 20
          rules:
          - {record: 'job:requests:rate1m', expr: 'sum by (service, code) (rate(requests_total[1m]))', labels: {origin: rules}}
          - {record: 'job:errors:ratio', expr: 'sum by (service) (job:requests:rate1m{code="500"}) / sum by (service) (job:requests:rate1m)'}
          - {record: latency, expr: 'histogram_quantile(0.9, sum by (service, le) (rate(seconds_bucket[2m])))'}
          - {record: fixed, expr: 'scalar(count(up == 1)) * 2'}
          - alert: Errors
            expr: 'sum by (service) (rate(requests_total{code="500"}[1m])) / sum by (service) (rate(requests_total[1m])) > 0.1'
            for: 30s
            keep_firing_for: 30s
            labels: {severity: '{{ if gt $value 0.5 }}page{{ else }}ticket{{ end }}'}
            annotations: {up: '{{ with query "count(up)" }}{{ . | first | value }}{{ end }}', text: '{{ $value | humanize }}'}
          - {alert: Down, expr: up == 0}
          - {alert: Gone, expr: 'absent(up{service="z"})', for: 45s}
          - rollback: High
            expr: 'sum by (service) (rate(requests_total{code="500"}[1m]))'
            trip: '> 0.6'
            consecutive: 3
            min_samples: {expr: 'sum by (service) (increase(requests_total[1m]))', value: 5}
            guard: up == 1
            clear: {trip: '< 0.2', for: 30s}
            action: {plan: p}
        """

    private typealias Sample = (labels: Labels, milliseconds: Int64, value: Double)

    private static let step: Int64 = 15_000
    private static let steps = 40

    /// The samples of one scrape of two services: errors for a while, a service that is down for a while, and one that
    /// goes away.
    private static func scrape(_ index: Int, _ time: Int64) -> [Sample] {
        var samples: [Sample] = []
        for service in ["a", "b"] {
            if service == "b", index > 30 { continue }
            let isDown = service == "b" && (12..<16).contains(index)
            samples.append((["__name__": "up", "service": service], time, isDown ? 0 : 1))
            if isDown { continue }
            let errors = service == "a" ? max(0, min(index, 20) - 6) : 0
            for (code, count) in [("200", index * 20), ("500", errors * 15)] {
                samples.append(
                    (["__name__": "requests_total", "service": service, "code": code], time, Double(count)))
            }
            for (bound, share) in [("0.1", 0.5), ("1", 0.8), ("+Inf", 1)] {
                let labels: Labels = ["__name__": "seconds_bucket", "service": service, "le": bound]
                samples.append((labels, time, (Double(index * 20) * share).rounded()))
            }
        }
        return samples
    }

    private func store(_ samples: [Sample], _ lane: Lane) throws {
        guard let time = samples.first?.milliseconds else { return }
        var row = lane.beginAppend(at: Timestamp(milliseconds: time))
        for sample in samples { row.append(try lane.slot(for: sample.labels), sample.value) }
        try row.commit()
    }

    /// What the rules yield, evaluated five seconds after each scrape.
    private func run(
        _ source: RuleSource, _ group: RuleGroup, _ log: Log, start: Int64, scrape: (Int, Int64) throws -> Void
    )
        throws -> [String]
    {
        let isServer = source.isServer
        var settings = RuleSettings(externalURL: "http://x")
        settings.servers = [RuleServerSettings(name: "debian")]
        settings.defaultServer = isServer ? "debian" : nil
        let evaluation = GroupEvaluation(group, engine: QueryEngine(), settings: settings, restoring: false)
        for index in 0..<Self.steps {
            let time = start + Int64(index) * Self.step
            try scrape(index, time)
            evaluation.evaluate(at: Timestamp(milliseconds: time + 5000), from: source, into: log)
            #expect(evaluation.states.map(\.lastError) == group.rules.map { _ in "" })
        }
        return log.lines
    }

    private func session(_ url: String, timeout: Milliseconds = .seconds(30)) -> RuleServerSession {
        let servers = Servers()
        var settings = QueryServerSettings(name: "debian", url: url)
        settings.timeout = timeout
        servers.servers.reload([settings])
        return RuleServerSession(servers: servers, name: "debian", deadline: .max, isCancelled: { false })
    }

    /// An hour in the past, on a full second.
    private var start: Int64 { (SystemClock.wallMilliseconds() / 1000 - 3600) * 1000 }

    @Test("the same alerts, recorded series and trips over Prometheus as over the own store")
    func prometheus() throws {
        guard DebianQueryServer.Kind.prometheus.isInstalled else {
            return print("skipped: prometheus is not installed")
        }
        let start = start
        let group = try #require(try RuleFile(parsing: Array(Self.rules.utf8), path: "r.yml").groups.first)
        let own = try MetricStore(StoreConfiguration(), registry: nil)
        let (scrapes, recorded) = (try own.openLane("scrape"), try own.openLane("rules"))
        let near = try run(
            .store(own), group,
            Log { [self] samples in try store(samples, recorded) }, start: start
        ) { index, time in try store(Self.scrape(index, time), scrapes) }
        let server = try DebianQueryServer(.prometheus)
        let far = try run(
            .server(session(server.url)), group,
            Log { samples in try server.write(samples) }, start: start
        ) { index, time in try server.write(Self.scrape(index, time)) }
        for (position, pair) in zip(near, far).enumerated() where pair.0 != pair.1 {
            Issue.record("line \(position): own \(pair.0), Prometheus \(pair.1)")
            break
        }
        #expect(near.count == far.count)
        // The rules have something to say.
        for word in ["firing", "resolved", "tripped", "cleared", "stale", "Gone", "severity=\"ticket\"", "latency"] {
            #expect(near.contains { $0.contains(word) }, "\(word)")
        }
    }

    @Test("recorded series over VictoriaMetrics are its own answers, also for the newest seconds")
    func victoriaMetrics() throws {
        guard DebianQueryServer.Kind.victoriaMetrics.isInstalled else {
            return print("skipped: victoria-metrics is not installed")
        }
        let server = try DebianQueryServer(.victoriaMetrics)
        let now = SystemClock.wallMilliseconds() / 1000 * 1000
        for index in 0..<Self.steps {
            try server.write(Self.scrape(index, now - Int64(Self.steps - 1 - index) * Self.step))
        }
        let text = """
            groups:
            - name: g
              rules:
              - {record: rates, expr: 'sum by (service, code) (rate(requests_total[1m]))'}
              - {record: newest, expr: 'timestamp(up)'}
              - {rollback: R, expr: 'requests_total{code="200"}', trip: '> 1e9', consecutive: 2, action: {plan: p}}
            """
        let group = try #require(try RuleFile(parsing: Array(text.utf8), path: "r.yml").groups.first)
        var settings = RuleSettings()
        settings.servers = [RuleServerSettings(name: "debian")]
        settings.defaultServer = "debian"
        // What was written is found some seconds later.
        #expect(
            try Loopback.eventually {
                try server.ask("timestamp(up{service=\"a\"})", now).values.first == Double(now / 1000)
            })
        let received = Log { _ in }
        let evaluation = GroupEvaluation(group, engine: QueryEngine(), settings: settings, restoring: false)
        evaluation.evaluate(at: Timestamp(milliseconds: now), from: .server(session(server.url)), into: received)
        #expect(evaluation.states.map(\.lastError) == ["", "", ""])
        let rates = try server.ask("sum by (service, code) (rate(requests_total[1m]))", now)
        #expect(rates.count == 2)
        for (labels, value) in rates {
            let json = try JSON(parsing: labels)
            let expected: Labels = [
                "__name__": "rates", "service": json["service"]?.text ?? "", "code": json["code"]?.text ?? "",
            ]
            let shown = FloatText.general((value * 1e9).rounded() / 1e9)
            #expect(received.lines.contains("\(now) \(expected) \(shown)"), "\(received.lines)")
        }
        // The newest sample, not the one of 30 seconds ago that a query without `nocache` gives.
        #expect(
            received.lines.contains {
                $0.contains("newest") && $0.hasSuffix(" \(FloatText.general(Double(now / 1000)))")
            }, "\(received.lines)")
        #expect(received.lines.contains { $0.contains("measured") && $0.contains(" true \(now)") }, "\(received.lines)")
    }

    /// The state of alerts before a restart, and the data of deployment gates, are read in this way.
    @Test("a selector with a range gives the samples as they were written", arguments: DebianQueryServer.Kind.allCases)
    func samples(kind: DebianQueryServer.Kind) throws {
        guard kind.isInstalled else { return print("skipped: \(kind.rawValue) is not installed") }
        let server = try DebianQueryServer(kind)
        let start = start
        let labels: Labels = ["__name__": "ALERTS_FOR_STATE", "alertname": "A", "replica": "a"]
        for index in 0..<20 as Range<Int64> { try server.write([(labels, start + index * 15_000, Double(index))]) }
        let end = start + 19 * 15_000
        #expect(
            try Loopback.eventually { try server.ask("count_over_time(ALERTS_FOR_STATE[1h])", end).values.first == 20 })
        let session = session(server.url)
        let query = RuleQuery(
            "{__name__=\"ALERTS_FOR_STATE\",alertname=\"A\"}[300001ms]", at: Timestamp(milliseconds: end))
        guard case .matrix(let series) = try session.value(query) else {
            Issue.record("no matrix")
            return
        }
        #expect(series.map(\.labels) == [labels])
        #expect(series.first?.timestamps == (0..<20).map { start + $0 * 15_000 })
        #expect(series.first?.values == (0..<20).map { Double($0) })
    }

    @Test("a Prometheus that stands still and one that is back", arguments: [DebianQueryServer.Kind.prometheus])
    func standsStill(kind: DebianQueryServer.Kind) throws {
        guard kind.isInstalled else { return print("skipped: \(kind.rawValue) is not installed") }
        let server = try DebianQueryServer(kind)
        let start = start
        try server.write([(["__name__": "up", "service": "a"], start, 0)])
        let text = """
            groups:
            - name: g
              rules:
              - {alert: Down, expr: up == 0}
              - {rollback: R, expr: up, trip: '== 0', missing: {policy: trip}, action: {plan: p}}
            """
        let group = try #require(try RuleFile(parsing: Array(text.utf8), path: "r.yml").groups.first)
        var settings = RuleSettings()
        settings.servers = [RuleServerSettings(name: "debian")]
        settings.defaultServer = "debian"
        let log = Log { _ in }
        let evaluation = GroupEvaluation(group, engine: QueryEngine(), settings: settings, restoring: false)
        let session = session(server.url, timeout: .milliseconds(300))
        server.stop()
        evaluation.evaluate(at: Timestamp(milliseconds: start), from: .server(session), into: log)
        #expect(!log.lines.contains { $0.contains("tripped") || $0.contains("firing") }, "\(log.lines)")
        #expect(evaluation.unknown?.contains("debian") == true)
        server.proceed()
        let recovers = Loopback.eventually {
            evaluation.evaluate(at: Timestamp(milliseconds: start), from: .server(session), into: log) == 0
        }
        #expect(recovers)
        #expect(log.lines.contains { $0.contains("tripped") })
        #expect(log.lines.contains { $0.contains("firing") })
    }
}
