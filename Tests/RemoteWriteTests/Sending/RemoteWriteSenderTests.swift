import ConfigurationFields
import CurlHTTP
import Glibc
import Instrumentation
import JSON
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

/// Sending from one store to another Tribune, and to servers that fail.
@Suite struct RemoteWriteSenderTests {
    private let fixture = SendingFixture()

    @Test(arguments: RemoteWriteSettings.Message.allCases)
    func everythingArrivesAtAnotherTribune(message: RemoteWriteSettings.Message) throws {
        let receiver = try WebFixture({ $0.enablesRemoteWrite = true })
        let source = try fixture.store()
        let registry = Registry()
        let senders = RemoteWriteSenders(store: source, directory: nil, registry: registry) {
            [MetricMetadata(family: "sent_total", type: "counter", help: "Sent.", unit: "")]
        }
        let entry = fixture.settings("http://127.0.0.1:\(receiver.port)/api/v1/write") {
            $0.message = message
            $0.queue.minimumShards = 3
            $0.queue.samplesPerSend = 70
        }
        senders.reload([entry], externalLabels: [:])
        defer { senders.stop() }
        // The first rows are those after the start.
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_shards") == 3 })
        for lane in 0..<5 { try fixture.fill(source, "lane \(lane)", series: 20, rows: 0..<40) }
        try fixture.fillHistograms(source)
        try fixture.addExemplar(source)
        try fixture.fillHistograms(source, rows: 3..<4)
        let wanted = try fixture.all(source)
        #expect(try Loopback.eventually { try fixture.all(receiver.store) == wanted })
        #expect(wanted.count == 101)
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_samples_total") == 4000 })
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_histograms_total") == 4 })
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_exemplars_total") == 1 })
        let exemplars = receiver.store.exemplars(since: 0)?.exemplars ?? []
        #expect(exemplars.map(\.series) == [["__name__": "latency"]])
        #expect(exemplars.map(\.exemplar) == [fixture.exemplar])
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_samples_pending") == 0 })
        let metadata = try receiver.data("/api/v1/metadata?metric=sent_total")
        #expect(metadata["sent_total"]?.elements?.first?["help"] == "Sent.")
    }

    @Test func rulesAndExternalLabelsApply() throws {
        let receiver = try WebFixture({ $0.enablesRemoteWrite = true })
        let source = try fixture.store()
        let senders = RemoteWriteSenders(store: source, directory: nil, registry: Registry())
        var drop = RelabelRule()
        drop.action = .drop
        drop.sourceLabels = ["n"]
        drop.regex = "1"
        let registry = Registry()
        let other = RemoteWriteSenders(store: source, directory: nil, registry: registry)
        senders.stop()
        other.reload(
            [fixture.settings("http://127.0.0.1:\(receiver.port)/api/v1/write") { $0.relabelRules = [drop] }],
            externalLabels: ["cluster": "c", "lane": "external"])
        defer { other.stop() }
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_shards") == 1 })
        try fixture.fill(source, "a", series: 3, rows: 0..<2)
        #expect(try Loopback.eventually { try fixture.all(receiver.store).count == 2 })
        #expect(
            try fixture.all(receiver.store).keys.sorted() == [
                #"sent_total{cluster="c", lane="a", n="0"}"#, #"sent_total{cluster="c", lane="a", n="2"}"#,
            ])
        #expect(registry.value("prometheus_remote_storage_samples_dropped_total") == 2)
    }

    /// The signature of a request as Signature Version 4 defines it. Arguments: method, path, host, date, content type,
    /// file with the body in hexadecimal.
    private static let signatureScript = """
        import hashlib, hmac, sys
        method, path, host, date, kind, body = sys.argv[1:]
        digest = hashlib.sha256(bytes.fromhex(open(body).read())).hexdigest()
        names = "content-type;host;x-amz-date"
        canonical = "\\n".join([method, path, "", "content-type:" + kind, "host:" + host, "x-amz-date:" + date, "", names, digest])
        scope = date[:8] + "/eu-west-1/aps/aws4_request"
        text = "\\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = b"AWS4s3cret"
        for part in [date[:8], "eu-west-1", "aps", "aws4_request"]:
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        print(f"AWS4-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders={names}, Signature={signature}")
        """

    @Test func requestsAreSignedForAmazon() throws {
        let requests = Mutex<[LoopbackServer.Request]>([])
        let server = LoopbackServer { request in
            requests.withLock { $0.append(request) }
            return .ok("")
        }
        let source = try fixture.store()
        let registry = Registry()
        let senders = RemoteWriteSenders(store: source, directory: nil, registry: registry)
        let entry = fixture.settings("http://127.0.0.1:\(server.port)/workspaces/ws-1/api/v1/remote_write") {
            var keys = AWSCredentials()
            (keys.region, keys.accessKey, keys.secretKey) = ("eu-west-1", "AKID", .text("s3cret"))
            $0.signing = keys
            $0.metadata.isSent = false
        }
        senders.reload([entry], externalLabels: [:])
        defer { senders.stop() }
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_shards") == 1 })
        try fixture.fill(source, "a", series: 5, rows: 0..<1)
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_samples_total") == 5 })
        let request = try #require(requests.withLock { $0.first })
        let hexadecimal = request.body.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let directory = TemporaryDirectory()
        let arguments = [
            "python3", "-c", Self.signatureScript, "POST", "/workspaces/ws-1/api/v1/remote_write",
            "127.0.0.1:\(server.port)", request.headers["x-amz-date"] ?? "", request.headers["content-type"] ?? "",
            directory.write(hexadecimal, to: "body"),
        ]
        let output = directory.file("signature")
        #expect(try ChildProcess(arguments, output: .file(output)).wait() == .code(0))
        let wanted = try #require(FileText.read(output)).split(separator: "\n").first.map(String.init)
        #expect(request.headers["authorization"] == wanted)
    }

    @Test func aReceiverThatFailsGetsTheSameRequestAgain() throws {
        let bodies = Mutex<[[UInt8]]>([])
        let server = LoopbackServer { request in
            let count = bodies.withLock { bodies in
                bodies.append(request.body)
                return bodies.count
            }
            switch count {
            case 1: return .ok("later", status: "503 Service Unavailable")
            case 2: return .ok("slow down", status: "429 Too Many Requests", headers: "Retry-After: 0\r\n")
            case 3: return .bytesThenClose(Array("HTTP/1.1 200".utf8))
            default: return .ok("out of order sample", status: "400 Bad Request")
            }
        }
        let source = try fixture.store()
        let registry = Registry()
        let senders = RemoteWriteSenders(store: source, directory: nil, registry: registry)
        senders.reload(
            [
                fixture.settings("http://127.0.0.1:\(server.port)/") {
                    $0.queue.retriesWhenLimited = true
                    $0.metadata.isSent = false
                }
            ], externalLabels: [:])
        defer { senders.stop() }
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_shards") == 1 })
        try fixture.fill(source, "a", series: 5, rows: 0..<1)
        // The 400 after requests of unknown outcome means that the samples are there.
        #expect(Loopback.eventually { registry.value("prometheus_remote_storage_samples_total") == 5 })
        let sent = bodies.withLock { $0 }
        #expect(sent.count == 4 && Set(sent).count == 1)
        // The client itself repeats a request whose connection was closed.
        #expect(registry.value("prometheus_remote_storage_samples_retried_total") ?? 0 >= 10)
        #expect(registry.value("prometheus_remote_storage_samples_failed_total") == 0)
    }
}
