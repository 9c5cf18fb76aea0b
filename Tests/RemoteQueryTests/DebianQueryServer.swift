import CurlHTTP
import Glibc
import JSON
import MetricModel
import Runtime
import Snappy
import TestSupport
import Testing

/// One of Debian's servers on loopback, which takes remote write; ended when it goes away.
final class DebianQueryServer {
    /// Which server.
    enum Kind: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case prometheus
        case victoriaMetrics = "victoria-metrics"

        var testDescription: String { rawValue }
        var isInstalled: Bool { access("/usr/bin/\(rawValue)", X_OK) == 0 }
    }

    private let directory = TemporaryDirectory()
    private let process: ChildProcess
    let port = Loopback.freePort()

    init(_ kind: Kind) throws {
        let address = "127.0.0.1:\(port)"
        let arguments =
            switch kind {
            case .prometheus:
                [
                    "--config.file=/dev/null", "--storage.tsdb.path=\(directory.file("data"))",
                    "--web.listen-address=\(address)", "--web.enable-remote-write-receiver",
                ]
            case .victoriaMetrics:
                [
                    "-storageDataPath=\(directory.file("data"))", "-httpListenAddr=\(address)", "-retentionPeriod=100y",
                    "-loggerLevel=ERROR", "-memory.allowedBytes=200MB",
                ]
            }
        process = try ChildProcess(["/usr/bin/\(kind.rawValue)"] + arguments, output: .file(directory.file("log")))
        let path = kind == .prometheus ? "/-/ready" : "/health"
        #expect(Loopback.eventually { (try? send(HTTPRequest(url: url + path)).status) == 200 })
    }

    deinit {
        process.signal(SIGKILL)
        _ = process.wait()
    }

    var url: String { "http://127.0.0.1:\(port)" }

    func stop() {
        process.signal(SIGSTOP)
    }

    func proceed() {
        process.signal(SIGCONT)
    }

    /// Stores samples; those of a series in the order of their times.
    func write(_ samples: [(labels: Labels, milliseconds: Int64, value: Double)]) throws {
        let message = ProtobufMessage.make { message in
            for sample in samples {
                message.message(1) { series in
                    for pair in sample.labels.pairs.sorted(by: { $0.name < $1.name }) {
                        series.message(1) {
                            $0.text(1, pair.name)
                            $0.text(2, pair.value)
                        }
                    }
                    series.message(2) {
                        $0.double(1, sample.value)
                        $0.number(2, UInt64(sample.milliseconds))
                    }
                }
            }
        }
        let request = HTTPRequest(
            method: "POST", url: url + "/api/v1/write",
            headers: [("Content-Type", "application/x-protobuf"), ("Content-Encoding", "snappy")],
            body: Snappy.compress(message))
        let response = try send(request)
        #expect(response.status == 204, "\(String(decoding: response.body, as: UTF8.self))")
    }

    /// The server's own answer: values by labels.
    func ask(_ expression: String, _ milliseconds: Int64) throws -> [String: Double] {
        let pairs = [("query", expression), ("time", "\(Double(milliseconds) / 1000)"), ("nocache", "1")]
        let response = try send(HTTPRequest(url: url + "/api/v1/query?" + FormText.encoded(pairs)))
        let json = try JSON(parsing: response.body)
        var values: [String: Double] = [:]
        for element in json["data"]?["result"]?.elements ?? [] {
            values[element["metric"]?.canonical ?? ""] = element["value"]?.elements?.last?.text.flatMap { Double($0) }
        }
        return values
    }

    private func send(_ request: HTTPRequest) throws -> HTTPResponse { try HTTPClient().send(request) }
}
