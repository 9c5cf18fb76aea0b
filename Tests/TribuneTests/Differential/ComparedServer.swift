import CurlHTTP
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// A server that takes remote write and answers queries as Prometheus does; ended when it goes away.
final class ComparedServer {
    /// Why a server is of no use.
    struct Unusable: Error {
        var reason: String
    }

    private let directory: TemporaryDirectory
    private let address: String
    private let process: ChildProcess
    private let client = HTTPClient()

    private init(configuration: String, _ arguments: (TemporaryDirectory) -> [String]) throws {
        directory = TemporaryDirectory()
        directory.write(configuration, to: "prometheus.yml")
        address = "127.0.0.1:\(Loopback.freePort())"
        process = try ChildProcess(
            arguments(directory) + [
                "--config.file=\(directory.file("prometheus.yml"))", "--web.listen-address=\(address)",
                "--web.enable-remote-write-receiver",
            ], output: .file(directory.file("log")))
        let isReady = Loopback.eventually { (try? send("/-/ready").status) == 200 }
        guard isReady else { throw Unusable(reason: FileText.read(directory.file("log")) ?? "") }
    }

    deinit {
        process.signal(SIGKILL)
        _ = process.wait()
    }

    /// Debian's Prometheus.
    static func prometheus(configuration: String = "scrape_configs: []\n") throws -> ComparedServer {
        try ComparedServer(configuration: configuration) {
            ["/usr/bin/prometheus", "--storage.tsdb.path=\($0.file("data"))", "--enable-feature=native-histograms"]
        }
    }

    /// The program under test.
    static func tribune(configuration: String = "scrape_configs: []\n") throws -> ComparedServer {
        try ComparedServer(configuration: configuration) {
            [TribuneProgram.path, "serve", "--storage.path=\($0.file("data"))"]
        }
    }

    /// Sends one message of remote write.
    func write(_ message: [UInt8]) throws {
        let response = try send("/api/v1/write", message)
        guard response.status == 204 else { throw Unusable(reason: String(decoding: response.body, as: UTF8.self)) }
    }

    /// The status and the text of the answer to one message of remote write.
    func answer(to message: [UInt8]) throws -> (status: Int, text: String) {
        let response = try send("/api/v1/write", message)
        return (response.status, String(decoding: response.body, as: UTF8.self))
    }

    /// The answer to a query with `parameters`.
    func ask(_ path: String, _ parameters: [(name: String, value: String)]) throws -> ComparedAnswer {
        let query = parameters.map { "\($0.name)=\(Self.escaped($0.value))" }.joined(separator: "&")
        return ComparedAnswer(try JSON(parsing: try send("/api/v1/\(path)?\(query)").body))
    }

    private func send(_ path: String, _ body: [UInt8] = []) throws -> HTTPResponse {
        var request = HTTPRequest(url: "http://\(address)\(path)")
        if !body.isEmpty {
            request.method = "POST"
            request.body = body
            request.headers = [("Content-Type", "application/x-protobuf"), ("Content-Encoding", "snappy")]
        }
        return try client.send(request)
    }

    private static func escaped(_ text: String) -> String {
        text.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
