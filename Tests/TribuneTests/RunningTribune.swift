import CurlHTTP
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// A `tribune serve`, on a free port with its data in a temporary directory.
final class RunningTribune {
    let directory: TemporaryDirectory
    let port: Int
    private(set) var process: ChildProcess
    private let arguments: [String]
    private let client = HTTPClient()

    /// - Parameters:
    ///   - environment: more variables of the process, as `NAME=VALUE`.
    ///   - prepare: called before the start, with the directory whose `data` is the storage.
    init(
        _ files: [String: String], config: String = "tribune.yml", flags: [String] = [], environment: [String] = [],
        prepare: (TemporaryDirectory) throws -> Void = { _ in }
    ) throws {
        let directory = TemporaryDirectory()
        try prepare(directory)
        let port = Loopback.freePort()
        for (name, text) in files { directory.write(text.replacing("PORT", with: "\(port)"), to: name) }
        self.directory = directory
        self.port = port
        arguments =
            ["/usr/bin/env", "TRIBUNE_RUNTIME_DIR=\(directory.file("run"))"] + environment + [
                TribuneProgram.path, "serve",
                "--config.file=\(directory.file(config))",
                "--storage.path=\(directory.file("data"))", "--web.listen-address=127.0.0.1:\(port)",
            ] + flags
        process = try ChildProcess(arguments, output: .file(directory.file("log")))
        #expect(awaitReady(), "\(log)")
    }

    deinit {
        process.signal(SIGKILL)
        _ = process.wait()
    }

    var log: String { FileText.read(directory.file("log")) ?? "" }

    func awaitReady() -> Bool { Loopback.eventually { (try? get("/-/ready").status) == 200 } }

    func restart() throws {
        process = try ChildProcess(arguments, output: .file(directory.file("log")))
        #expect(awaitReady(), "\(log)")
    }

    func get(_ path: String) throws -> HTTPResponse {
        try client.send(HTTPRequest(url: "http://127.0.0.1:\(port)\(path)"))
    }

    /// The token that the start has written for the service's own user.
    var localToken: String? {
        FileText.read(directory.file("run/\(port).token"))?.split(whereSeparator: \.isWhitespace).first.map(String.init)
    }

    /// Sends with the token of the service's own user.
    func post(_ path: String) throws -> HTTPResponse {
        var request = HTTPRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = "POST"
        if let localToken { request.authorize(credentials: localToken) }
        return try client.send(request)
    }

    /// The values of an instant query by their labels in text form.
    func query(_ expression: String) throws -> [String: String] {
        let escaped = expression.utf8.map { byte in
            let hex = String(byte, radix: 16)
            return "%" + (hex.count < 2 ? "0" : "") + hex
        }.joined()
        let body = try JSON(parsing: try get("/api/v1/query?query=\(escaped)").body)
        var values: [String: String] = [:]
        for element in body["data"]?["result"]?.elements ?? [] {
            values[element["metric"]?.encoded ?? ""] = element["value"]?.elements?.last?.text
        }
        return values
    }
}
