import CurlHTTP
import Glibc
import Instrumentation
import MetricModel
import MetricStore
import PrometheusAPI
import Runtime
import Scraper
import Snappy
import Synchronization
import TestSupport
import Testing
import WebFixture

@testable import RemoteWrite

/// Senders that stop and start again.
@Suite struct RemoteWriteRestartTests {
    private let fixture = SendingFixture()

    @Test func aRestartGoesOnWhereItStopped() throws {
        let directory = TemporaryDirectory()
        let accepts = Atomic(false)
        let receiver = try WebFixture({ $0.enablesRemoteWrite = true })
        let port = receiver.port
        let gate = LoopbackServer { request in
            guard accepts.load(ordering: .acquiring) else { return .ok("no", status: "503 Service Unavailable") }
            var forwarded = HTTPRequest(
                method: "POST", url: "http://127.0.0.1:\(port)/api/v1/write",
                headers: [("Content-Type", "application/x-protobuf")], body: request.body)
            forwarded.timeoutMilliseconds = 30_000
            let status = (try? HTTPClient().send(forwarded).status) ?? 503
            return .ok("", status: "\(status) x")
        }
        let entry = fixture.settings("http://127.0.0.1:\(gate.port)/")
        let positions = directory.file("positions")
        // Nothing is sent of what was there before the first start.
        try fixture.reopened(directory) { source in try fixture.fill(source, "old", series: 2, rows: 0..<3) }
        for start in 0..<3 {
            try fixture.reopened(directory) { source in
                let registry = Registry()
                let senders = RemoteWriteSenders(store: source, directory: positions, registry: registry)
                senders.reload([entry], externalLabels: [:])
                #expect(Loopback.eventually { registry.value("prometheus_remote_storage_shards") == 1 })
                try fixture.fill(source, "lane", series: 10, rows: start * 50..<start * 50 + 50)
                if start == 1 {
                    accepts.store(true, ordering: .releasing)
                    #expect(Loopback.eventually { registry.value("prometheus_remote_storage_samples_total") ?? 0 > 0 })
                    accepts.store(false, ordering: .releasing)
                }
                senders.stop()
            }
        }
        accepts.store(true, ordering: .releasing)
        try fixture.reopened(directory) { source in
            let senders = RemoteWriteSenders(store: source, directory: positions, registry: Registry())
            senders.reload([entry], externalLabels: [:])
            let wanted = try fixture.all(source).filter { !$0.key.contains("old") }
            #expect(try Loopback.eventually { try fixture.all(receiver.store) == wanted })
            #expect(wanted.count == 10 && wanted.values.allSatisfy { $0.count == 150 })
            senders.stop()
        }
    }

    /// The first process gets no answer to any request. The second one sends the same requests.
    @Test func requestsAreTheSameAfterARestart() throws {
        let directory = TemporaryDirectory()
        let bodies = Mutex<[[UInt8]]>([])
        let isUp = Atomic(false)
        let server = LoopbackServer { request in
            bodies.withLock { $0.append(request.body) }
            return isUp.load(ordering: .acquiring)
                ? .ok("", status: "204 No Content") : .ok("lost", status: "502 Bad Gateway")
        }
        let entry = fixture.settings(server.url) {
            $0.queue.minimumShards = 3
            $0.queue.samplesPerSend = 40
            $0.queue.maximumBackoff = Milliseconds(rawValue: 50)
            $0.metadata.isSent = false
        }
        try fixture.reopened(directory) { source in
            let registry = Registry()
            let senders = fixture.sender(source, directory, entry, registry)
            #expect(Loopback.eventually { registry.value("prometheus_remote_storage_shards") == 3 })
            // More series than one request takes, in several lanes; each sender is at its first request.
            for lane in 0..<4 { try fixture.fill(source, "lane \(lane)", series: 30, rows: 0..<20) }
            try fixture.fillHistograms(source)
            #expect(Loopback.eventually { Set(bodies.withLock { $0 }).count == 3 })
            senders.stop()
        }
        let first = Set(bodies.withLock { $0 })
        // Other rows follow in the meantime.
        try fixture.reopened(directory) { source in try fixture.fill(source, "later", series: 5, rows: 0..<5) }
        bodies.withLock { $0 = [] }
        isUp.store(true, ordering: .releasing)
        try fixture.reopened(directory) { source in
            let registry = Registry()
            let senders = fixture.sender(source, directory, entry, registry)
            #expect(
                Loopback.eventually { registry.value("prometheus_remote_storage_samples_total") == 4 * 600 + 25 })
            senders.stop()
        }
        let second = bodies.withLock { $0 }
        #expect(Set(second).isSuperset(of: first))
        #expect(Set(second).count == second.count)
    }

    /// Prometheus takes a request as a whole, or refuses it because of one old sample. After a restart with the same
    /// settings, a refused request is one that arrived; with others, the new samples of a refused one are found.
    @Test(arguments: [100, 70])
    func nothingIsMissingAfterRequestsWithoutAnswerAndARestart(samplesPerSend: Int) throws {
        let directory = TemporaryDirectory()
        let port = Loopback.freePort()
        guard let process = try DebianServer.prometheus(port, directory.file("prometheus")) else { return }
        defer { process.stop() }
        let loses = Atomic(true)
        let statuses = Mutex<[Int]>([])
        let gate = LoopbackServer { request in
            let status = DebianServer.forward(request, to: "http://127.0.0.1:\(port)/api/v1/write")
            if loses.load(ordering: .acquiring) { return .ok("lost", status: "502 Bad Gateway") }
            statuses.withLock { $0.append(status) }
            return .ok("out of order sample", status: "\(status) x")
        }
        for (start, perSend) in [(0, 100), (1, samplesPerSend)] {
            try fixture.reopened(directory) { source in
                let registry = Registry()
                let entry = fixture.settings(gate.url) {
                    $0.metadata.isSent = false
                    $0.queue.samplesPerSend = perSend
                }
                let senders = fixture.sender(source, directory, entry, registry)
                defer { senders.stop() }
                #expect(Loopback.eventually { registry.value("prometheus_remote_storage_shards") == 1 })
                try fixture.fill(source, "lane", series: 30, rows: start * 20..<start * 20 + 20)
                if start == 0 {
                    let retried = "prometheus_remote_storage_samples_retried_total"
                    #expect(Loopback.eventually { registry.value(retried) ?? 0 > 0 })
                    return
                }
                loses.store(false, ordering: .releasing)
                let time = fixture.now / 1000 + 50
                #expect(
                    try Loopback.eventually {
                        try DebianServer.value(port, "sum(count_over_time(sent_total[80s]))", time) == "1200"
                    })
                #expect(Loopback.eventually { registry.value("prometheus_remote_storage_samples_pending") == 0 })
                #expect(registry.value("prometheus_remote_storage_samples_failed_total") == 0)
            }
        }
        // The first request arrived before the restart.
        let refused = statuses.withLock { $0.count { $0 == 400 } }
        #expect(samplesPerSend == 100 ? refused == 1 : refused > 1, "\(refused)")
    }
}
