internal import Instrumentation
internal import Runtime
public import WebServer

/// Serves an ``Exporter`` over HTTP. Owned by the composition root, which must `stop` it.
public final class ExporterRunner: Sendable {
    private let exporter: Exporter
    private let server: HTTPServer
    private let watching: WorkerThread

    /// Listens as `configuration` says; the number of workers follows from the exporter's limits.
    public init(_ exporter: Exporter, _ configuration: HTTPServerConfiguration) throws(HTTPServerError) {
        var configuration = configuration
        configuration.workers = max(exporter.settings.maximumConcurrentQueries, 1) + QueryGate.spareWorkers
        configuration.compressesResponses = true
        let evicted = exporter.registry.counter(
            "tribune_http_connections_evicted_total",
            "Silent connections closed because the connection limit was reached and another client connected.")
        configuration.onEviction = { evicted.add() }
        self.exporter = exporter
        server = try HTTPServer(configuration, brief: { exporter.briefResponse(to: $0) }) { exporter.response(to: $0) }
        do throws(WorkerThread.StartError) {
            watching = try WorkerThread("http-clients") { exporter.watch.work() }
        } catch {
            server.stop()
            throw HTTPServerError(
                code: .system, listenAddress: "\(configuration.addresses[0])", reason: error.description)
        }
    }

    /// The port that is listened on.
    public var port: Int { server.port }

    /// Ends queries that are running or waiting and refuses new ones; other requests are still answered.
    public func cancelQueries() { exporter.cancelQueries() }

    /// Stops listening, cancels queries, and returns when every request is answered. To be called once.
    public func stop() {
        exporter.cancelQueries()
        server.stop()
        exporter.watch.stop()
        watching.join()
    }
}
