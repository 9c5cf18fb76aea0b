internal import Instrumentation
internal import Runtime
public import WebServer

/// Serves a ``RequestDispatcher`` over HTTP. Owned by the composition root, which must `stop` it.
public final class WebRunner: Sendable {
    /// Background work on its own thread.
    public struct Background: Sendable {
        let name: String
        let work: @Sendable () -> Void
        let stop: @Sendable () -> Void

        /// Work that ends when `stop` is called.
        public init(_ name: String, work: @escaping @Sendable () -> Void, stop: @escaping @Sendable () -> Void) {
            self.name = name
            self.work = work
            self.stop = stop
        }
    }

    private let server: HTTPServer
    private let background: [Background]
    private let threads: [WorkerThread]
    private let onStop: @Sendable () -> Void

    /// Listens as `configuration` says.
    ///
    /// - Parameters:
    ///   - background: runs until `stop`.
    ///   - onStop: called first by `stop`, to end the waits of requests.
    public init(
        _ dispatcher: RequestDispatcher, background: [Background], _ configuration: HTTPServerConfiguration,
        onStop: @escaping @Sendable () -> Void = {}
    ) throws(HTTPServerError) {
        var configuration = configuration
        configuration.compressesResponses = true
        configuration.refusal = { .refusal(status: $0, reason: $1) }
        self.background = background
        self.onStop = onStop
        server = try HTTPServer(configuration, probe: { dispatcher.probeResponse(to: $0) }) {
            dispatcher.response(to: $0)
        }
        ServerMetrics.show(server, in: dispatcher.registry)
        threads = try Self.start(background, server, "\(configuration.addresses[0])")
    }

    /// Starts a thread for each part; if one does not start, all of them and the server end.
    private static func start(
        _ background: [Background], _ server: HTTPServer, _ address: String
    ) throws(HTTPServerError) -> [WorkerThread] {
        var threads: [WorkerThread] = []
        do throws(WorkerThread.StartError) {
            for part in background { threads.append(try WorkerThread(part.name, part.work)) }
            return threads
        } catch {
            server.stop()
            for part in background { part.stop() }
            for thread in threads { thread.join() }
            throw HTTPServerError(code: .system, listenAddress: address, reason: error.description)
        }
    }

    /// The first listening TCP port; 0 if there is none.
    public var port: Int { server.ports.first { $0 > 0 } ?? 0 }

    /// Stops listening and returns when every request has a response. Must be called once.
    public func stop() {
        onStop()
        server.stop()
        for part in background { part.stop() }
        for thread in threads { thread.join() }
    }
}
