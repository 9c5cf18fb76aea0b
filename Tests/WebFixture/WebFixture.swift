import AlertmanagerAPI
import CurlHTTP
import Exporter
import Identity
import Instrumentation
import JSON
import MetricModel
import MetricStore
import PrometheusAPI
import RemoteWrite
import Rollback
import RolloutRunner
import RuleEngine
import RuleModel
import Testing
import TribuneAPI
import WebCore
import WebServer
import WebUI

/// Every API behind a real server on a free port, and a client that reads its responses.
package final class WebFixture {
    /// The settings of flags.
    @dynamicMemberLookup package struct Settings {
        package var prometheus = PrometheusSettings()
        package var web = WebSettings()
        /// Programs of this machine may do everything unless a test says otherwise.
        package var access = AccessPolicy.open
        package var zeroesStarts = false
        /// `nil` without a receiver of OTLP.
        package var telemetry: TelemetryReceiver.Options?

        package subscript<Value>(dynamicMember path: WritableKeyPath<PrometheusSettings, Value>) -> Value {
            get { prometheus[keyPath: path] }
            set { prometheus[keyPath: path] = newValue }
        }

        /// A token without which nothing may be changed; `nil` for none.
        package var commandToken: String? {
            get { nil }
            set {
                guard let newValue else { return }
                access = AccessPolicy()
                access.thisMachine = access.everybody
                access.tokens = [.init(.init("command token", roles: [.admin]), text: newValue)]
            }
        }
    }

    /// The data of the APIs.
    @dynamicMemberLookup package struct Sources {
        package var prometheus: PrometheusSources
        package var alertmanager = AlertmanagerSources()
        package var tribune = TribuneSources()
        package var exporter: ExporterSources

        package init(store: MetricStore) {
            prometheus = PrometheusSources(store: store)
            exporter = ExporterSources(store: store)
        }

        package var ruleGroups: @Sendable () -> [RuleGroupSnapshot] {
            get { prometheus.ruleGroups }
            set {
                prometheus.ruleGroups = newValue
                exporter.ruleGroups = newValue
            }
        }

        package var rollouts: @Sendable () -> [RolloutSnapshot] {
            get { tribune.rollouts }
            set {
                tribune.rollouts = newValue
                exporter.rollouts = newValue
            }
        }

        package subscript<Value>(dynamicMember path: WritableKeyPath<PrometheusSources, Value>) -> Value {
            get { prometheus[keyPath: path] }
            set { prometheus[keyPath: path] = newValue }
        }

        package subscript<Value>(dynamicMember path: WritableKeyPath<AlertmanagerSources, Value>) -> Value {
            get { alertmanager[keyPath: path] }
            set { alertmanager[keyPath: path] = newValue }
        }

        package subscript<Value>(dynamicMember path: WritableKeyPath<TribuneSources, Value>) -> Value {
            get { tribune[keyPath: path] }
            set { tribune[keyPath: path] = newValue }
        }
    }

    /// The APIs without a server, for requests that a test makes up.
    package struct APIs {
        package let prometheus: PrometheusAPI
        package let dispatcher: RequestDispatcher
        package let background: [WebRunner.Background]
        package let telemetry: TelemetryReceiver?

        package init(_ settings: Settings, _ sources: Sources, registry: Registry) {
            let intake = SampleIntake(
                store: sources.prometheus.store, registry: registry, zeroesStarts: settings.zeroesStarts)
            let receiver =
                settings.prometheus.enablesRemoteWrite
                ? RemoteWriteReceiver(intake: intake, registry: registry) : nil
            telemetry = settings.telemetry.map { TelemetryReceiver(intake: intake, options: $0, registry: registry) }
            var queried = sources.prometheus
            queried.writtenMetadata = { intake.families }
            let build = settings.prometheus.build
            let clients = ClientWatch()
            let tribune = TribuneAPI(sources: sources.tribune)
            background = [clients.background, tribune.streams.background]
            prometheus = PrometheusAPI(
                sources: queried, settings: settings.prometheus, clients: clients, registry: registry)
            let endpoints =
                prometheus.endpoints + AlertmanagerAPI(sources: sources.alertmanager, build: build).endpoints
                + tribune.endpoints + RemoteWriteAPI(receiver: receiver).endpoints
                + TelemetryAPI(receiver: telemetry).endpoints
                + Exporter(sources: sources.exporter, build: build, registry: registry).endpoints
                + WebUI(settings: settings.web).endpoints
            dispatcher = RequestDispatcher(
                EndpointTable(endpoints),
                .init(
                    settings: settings.web, accessControl: AccessControl(settings.access),
                    isReady: sources.prometheus.isReady
                ),
                registry: registry)
        }
    }

    package let apis: APIs
    package let runner: WebRunner
    package let store: MetricStore
    package let registry = Registry()
    private let client = HTTPClient()

    /// The port of the server.
    package var port: Int { runner.port }

    package init(
        _ settings: (inout Settings) -> Void = { _ in }, sources: (inout Sources) -> Void = { _ in }
    ) throws {
        store = try MetricStore(StoreConfiguration(), registry: nil)
        var chosen = Settings()
        settings(&chosen)
        var filled = Sources(store: store)
        sources(&filled)
        apis = APIs(chosen, filled, registry: registry)
        var configuration = HTTPServerConfiguration()
        configuration.workers = PrometheusAPI.workers(chosen.prometheus)
        runner = try WebRunner(apis.dispatcher, background: apis.background, configuration) {
            [prometheus = apis.prometheus] in
            prometheus.cancelQueries()
        }
    }

    /// The APIs without a server, for requests that a test makes up.
    package static func apis(
        _ settings: Settings = Settings(), sources: (inout Sources) -> Void
    ) throws -> APIs {
        var filled = Sources(store: try MetricStore(StoreConfiguration(), registry: nil))
        sources(&filled)
        return APIs(settings, filled, registry: Registry())
    }

    deinit {
        runner.stop()
    }

    /// Appends `values` from `start` on, `step` apart, to the series `labels`; `nil` leaves a gap.
    package func append(_ labels: Labels, from start: Int64 = 0, step: Int64 = 15_000, _ values: [Double?]) throws {
        let lane = try store.openLane("test \(labels) \(start)")
        let slot = try lane.slot(for: labels)
        for (index, value) in values.enumerated() {
            guard let value else { continue }
            var appender = lane.beginAppend(at: Timestamp(milliseconds: start + Int64(index) * step))
            appender.append(slot, value)
            try appender.commit()
        }
    }

    package func send(
        _ target: String, method: String = "GET", headers: [(name: String, value: String)] = [], body: String = ""
    ) throws -> HTTPResponse {
        var request = HTTPRequest(url: "http://127.0.0.1:\(runner.port)\(target)")
        request.method = method
        request.headers = headers
        request.body = Array(body.utf8)
        return try client.send(request)
    }

    package func text(_ target: String, headers: [(name: String, value: String)] = []) throws -> String {
        String(decoding: try send(target, headers: headers).body, as: UTF8.self)
    }

    /// The `data` of a successful response.
    package func data(_ target: String, method: String = "GET") throws -> JSON {
        let response = try send(target, method: method)
        let answer = try JSON(parsing: response.body)
        #expect(response.status == 200, "\(target): \(answer.encoded)")
        #expect(answer["status"] == "success")
        return answer["data"] ?? nil
    }

    /// Status, type and text of an error.
    package func error(_ target: String, method: String = "GET") throws -> String {
        let response = try send(target, method: method)
        let answer = try JSON(parsing: response.body)
        #expect(answer["status"] == "error")
        return "\(response.status) \(answer["errorType"]?.text ?? ""): \(answer["error"]?.text ?? "")"
    }
}
