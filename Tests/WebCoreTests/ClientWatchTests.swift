import Runtime
import Synchronization
import TestSupport
import Testing
import WebServer

@testable import WebCore

@Suite struct ClientWatchTests {
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
