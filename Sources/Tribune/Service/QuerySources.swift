internal import DeploymentGates
internal import Instrumentation
internal import MetricModel
internal import MetricStore
internal import PromQL
internal import RemoteQuery
internal import RolloutRunner
internal import RuleEngine
internal import Synchronization

/// Answers rules and gates, from the own store or from query servers. May be used from any thread.
final class QuerySources: RuleServers {
    private struct Choice {
        /// The server of rules, and of gates that name none.
        var rules: String?
        /// The server of deployment gates.
        var gates: String?
    }

    private let servers: QueryServers
    private let store: MetricStore
    private let engine: QueryEngine
    private let choice = Mutex(Choice())

    init(_ store: MetricStore, _ engine: QueryEngine, registry: Registry) {
        servers = QueryServers(registry: registry)
        self.store = store
        self.engine = engine
    }

    /// Adopts the servers of `configuration`.
    func reload(_ configuration: LoadedConfiguration) {
        servers.reload(configuration.file.queryServers)
        choice.withLock {
            $0.rules = configuration.file.defaultQueryServer
            $0.gates = configuration.file.gates.query ?? configuration.file.defaultQueryServer
        }
    }

    /// The servers that have left something unanswered.
    var troubles: [QueryServers.Trouble] { servers.troubles }

    // MARK: Rules

    func answer(
        _ query: RuleQuery, of server: String, until deadline: Int64, isCancelled: @escaping @Sendable () -> Bool
    ) throws(RuleFailure) -> QueryValue {
        do throws(QueryFault) {
            return try servers.value(
                query.expression, at: query.time, of: server, until: deadline, isCancelled: isCancelled)
        } catch {
            throw .unknown(error.description)
        }
    }

    func finished(asker: String, of server: String, failure: String?) {
        servers.finished(asker: asker, of: server, failure: failure)
    }

    // MARK: Gates

    /// The values of the gate of a plan now. `server` is what the gate names.
    func gate(_ text: String, _ server: String?) -> Result<[Double], RollbackRunner.EvaluationFault> {
        let name = Self.server(server ?? choice.withLock { $0.rules })
        return elements(of: text, from: name, asker: "gates of plans").map { $0.map(\.value) }
            .mapError { .init($0.description) }
    }

    /// The data of deployment gates.
    var gateData: GateData {
        GateData(
            matchers: { Expression.matchers(of: $0) },
            select: { [self] matchers, from, through in
                guard let name = Self.server(choice.withLock { $0.gates }) else {
                    return GateData.of(store, engine, now: ServiceBuilder.now).select(matchers, from, through)
                }
                return samples(matchers, from, through, of: name)
            },
            evaluate: { [self] text in
                elements(of: text, from: Self.server(choice.withLock { $0.gates }), asker: "deployment gates")
            })
    }

    /// The name of a server; `nil` for the own store.
    private static func server(_ name: String?) -> String? { name == RuleGroup.ownStore ? nil : name }

    private func elements(
        of text: String, from server: String?, asker: String
    ) -> Result<[GateData.Element], GateData.Fault> {
        guard let server else { return GateData.of(store, engine, now: ServiceBuilder.now).evaluate(text) }
        return ask(text, at: ServiceBuilder.now(), of: server, asker: asker).flatMap { value in
            switch value {
            case .scalar(let value, _): .success([GateData.Element(labels: .empty, value: value)])
            case .vector(let elements):
                .success(elements.map { GateData.Element(labels: $0.labels, value: $0.value) })
            case .string, .matrix: .failure(GateData.Fault("expected a number or an instant vector"))
            }
        }
    }

    private func samples(
        _ matchers: [Matcher], _ from: Timestamp, _ through: Timestamp, of server: String
    ) -> Result<[SeriesSamples], GateData.Fault> {
        let selector = "{\(matchers.map(\.description).joined(separator: ","))}"
        // The start of a range is open on newer servers.
        let window = through - from + .milliseconds(1)
        return ask("\(selector)[\(window)]", at: through, of: server, asker: "deployment gates").flatMap { value in
            guard case .matrix(let series) = value else { return .failure(GateData.Fault("expected a matrix")) }
            return .success(series)
        }
    }

    private func ask(
        _ text: String, at time: Timestamp, of server: String, asker: String
    ) -> Result<QueryValue, GateData.Fault> {
        do throws(QueryFault) {
            let value = try servers.value(text, at: time, of: server)
            servers.finished(asker: asker, of: server, failure: nil)
            return .success(value)
        } catch {
            servers.finished(asker: asker, of: server, failure: error.description)
            return .failure(GateData.Fault(error.description))
        }
    }
}
