import Instrumentation
import MetricModel
import Runtime
import Synchronization
import TestSupport
import Testing
import WebServer

@testable import Exporter

@Suite struct QueryLimitTests {
    @Test func queriesBeyondTheLimitWaitForTheirTurn() {
        let gate = QueryGate(limit: 1, registry: Registry())
        #expect(gate.enter(timeout: .seconds(1)))
        #expect(!gate.enter(timeout: .milliseconds(1)))
        gate.leave()
        #expect(gate.enter(timeout: .milliseconds(1)))
    }

    @Test func aTurnGivenBackGoesToOneThatWaits() throws {
        let gate = QueryGate(limit: 1, registry: Registry())
        #expect(gate.enter(timeout: .seconds(1)))
        let waiter = try WorkerThread("waiter") {
            #expect(gate.enter(timeout: .minutes(1)))
        }
        gate.leave()
        waiter.join()
        #expect(!gate.enter(timeout: .zero))
    }

    @Test func aClosedGateSendsEverybodyAway() throws {
        let gate = QueryGate(limit: 1, registry: Registry())
        #expect(gate.enter(timeout: .seconds(1)))
        let waiter = try WorkerThread("waiter") {
            #expect(!gate.enter(timeout: .minutes(60)))
        }
        gate.close()
        waiter.join()
        gate.leave()
        #expect(!gate.enter(timeout: .minutes(60)))
    }

    @Test func aStopCancelsWhatRunsAndWhatComesAfter() throws {
        let count = Mutex(0)
        let watch = ClientWatch()
        let server = try HTTPServer(HTTPServerConfiguration()) { request in
            let ticket = watch.begin(request) { count.withLock { $0 += 1 } }
            watch.cancelAll()
            watch.end(ticket)
            watch.end(watch.begin(request) { count.withLock { $0 += 1 } })
            return .text("")
        }
        let client = RawHTTPClient(port: server.port)
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(Loopback.eventually { count.withLock { $0 } == 2 })
        server.stop()
    }

    @Test func watchTellsWhenAClientLeaves() throws {
        final class Flags: Sendable {
            let begun = Atomic<Bool>(false)
            let cancelled = Atomic<Bool>(false)
        }
        let flags = Flags()
        let watch = ClientWatch()
        let watching = try WorkerThread("watch") { watch.work() }
        let server = try HTTPServer(HTTPServerConfiguration()) { request in
            let ticket = watch.begin(request) { flags.cancelled.store(true, ordering: .relaxed) }
            defer { watch.end(ticket) }
            flags.begun.store(true, ordering: .relaxed)
            _ = Loopback.eventually { flags.cancelled.load(ordering: .relaxed) }
            return .text("")
        }
        let client = RawHTTPClient(port: server.port)
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(Loopback.eventually { flags.begun.load(ordering: .relaxed) })
        let wasCancelled = flags.cancelled.load(ordering: .relaxed)
        #expect(!wasCancelled)
        client.hangUp()
        #expect(Loopback.eventually { flags.cancelled.load(ordering: .relaxed) })
        server.stop()
        watch.stop()
        watching.join()
    }
}
