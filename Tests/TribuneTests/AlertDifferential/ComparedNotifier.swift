import CurlHTTP
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// A notifier with Alertmanager's API and configuration, and its own receivers.
final class ComparedNotifier {
    static let alertmanager = "/usr/bin/prometheus-alertmanager"

    /// The program that notifies.
    enum Program {
        case alertmanager
        case tribune
    }

    let receivers = ReceiversStandIn()
    private let program: Program
    private let directory = TemporaryDirectory()
    private let port = Loopback.freePort()
    private let client = HTTPClient()
    /// Tribune accepts orders from its own user only.
    private static let token = "token-of-the-test"
    private var process: ChildProcess?
    /// The ids of its silences, by name.
    private var silences: [String: String] = [:]

    /// Starts it with `configuration`, in which `HOOK` is the URL of its receivers.
    init(_ program: Program, configuration: String) throws {
        self.program = program
        write(configuration)
        directory.write(Self.token + "\n", to: "token")
        directory.write("scrape_configs: []\n", to: "prometheus.yml")
        directory.write(
            "prometheus_config: prometheus.yml\nalertmanager_config: alertmanager.yml\n", to: "tribune.yml")
        try start()
    }

    deinit {
        process?.signal(SIGKILL)
        _ = process?.wait()
        receivers.stop()
    }

    var log: String { FileText.read(directory.file("log")) ?? "" }

    private func write(_ configuration: String) {
        directory.write(configuration.replacing("HOOK", with: receivers.url), to: "alertmanager.yml")
    }

    func start() throws {
        let url = "--web.external-url=http://alerts.example/"
        let arguments =
            switch program {
            case .alertmanager:
                // Ended alerts are dropped at once, and not sent once more after a reload.
                [
                    Self.alertmanager, "--config.file=\(directory.file("alertmanager.yml"))",
                    "--storage.path=\(directory.file("data"))", "--web.listen-address=127.0.0.1:\(port)",
                    "--cluster.listen-address=", "--alerts.gc-interval=300ms", "--web.route-prefix=/", url,
                ]
            case .tribune:
                [
                    "/usr/bin/env", "TRIBUNE_RUNTIME_DIR=\(directory.file("run"))", TribuneProgram.path, "serve",
                    "--config.file=\(directory.file("tribune.yml"))",
                    "--storage.path=\(directory.file("data"))", "--web.listen-address=127.0.0.1:\(port)",
                    "--web.enable-lifecycle", "--web.command-token-file=\(directory.file("token"))",
                    "--web.route-prefix=/", url,
                ]
            }
        process = try ChildProcess(arguments, output: .file(directory.file("log")))
        #expect(Loopback.eventually(within: 30) { (try? get("/-/ready").status) == 200 }, "\(log)")
    }

    /// Stops it normally, so that its state is on disk.
    func stop() {
        let exit = process?.stop(graceMilliseconds: 20_000)
        #expect(exit == .code(0), "\(log)")
        process = nil
    }

    func reload(_ configuration: String) throws {
        write(configuration)
        let answer = try post("/-/reload", .null)
        #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
    }

    func send(_ alerts: [JSON]) throws {
        let answer = try post("/api/v2/alerts", .array(alerts))
        #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
    }

    func silence(_ name: String, _ body: JSON) throws {
        let answer = try post("/api/v2/silences", body)
        silences[name] = try #require(try JSON(parsing: answer.body)["silenceID"]?.text)
    }

    func expire(_ name: String) throws {
        let id = try #require(silences[name])
        var request = HTTPRequest(url: "http://127.0.0.1:\(port)/api/v2/silence/\(id)")
        request.method = "DELETE"
        request.authorize(credentials: Self.token)
        #expect(try client.send(request).status == 200)
    }

    /// The answer to any request, as it is.
    func answer(
        _ method: String, _ path: String, type: String = "application/json", _ body: String
    ) throws -> (status: Int, text: String) {
        var request = HTTPRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = method
        if !body.isEmpty { request.headers = [("Content-Type", type)] }
        request.body = Array(body.utf8)
        request.authorize(credentials: Self.token)
        let answer = try client.send(request)
        return (Int(answer.status), String(decoding: answer.body, as: UTF8.self))
    }

    private func get(_ path: String) throws -> HTTPResponse {
        try client.send(HTTPRequest(url: "http://127.0.0.1:\(port)\(path)"))
    }

    private func post(_ path: String, _ body: JSON) throws -> HTTPResponse {
        var request = HTTPRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = "POST"
        request.headers = [("Content-Type", "application/json")]
        request.authorize(credentials: Self.token)
        request.body = Array(body.encoded.utf8)
        return try client.send(request)
    }
}
