import CurlHTTP
import Foundation
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// A `tribune acgs` on free ports, thirty times as fast as the platform's configuration says.
final class RunningKit {
    static let isAvailable =
        PostgresServer.programDirectory != nil
        && [
            "haproxy", "redis-server", "prometheus-node-exporter", "prometheus-postgres-exporter",
            "prometheus-redis-exporter",
        ]
        .allSatisfy { name in
            ["/usr/bin", "/usr/sbin"].contains { access("\($0)/\(name)", X_OK) == 0 }
        }

    let directory = TemporaryDirectory()
    let process: ChildProcess
    private(set) var addresses = JSON.null

    init(pace: Int = 30, rate: Int = 150) throws {
        process = try ChildProcess(
            [
                "/usr/bin/env", "TRIBUNE_RUNTIME_DIR=\(directory.file("run"))", TribuneProgram.path, "acgs",
                "--ports=free", "--pace=\(pace)", "--rate=\(rate)", "--rules=\(ReferenceTests.root)/rules",
                "--keep=\(directory.file("kit"))", "--lifetime=900", "--log.level=error",
            ], output: .file(directory.file("out")))
        let isUp = Loopback.eventually(within: 120) {
            output.contains("== The platform runs.") || process.poll() != nil
        }
        #expect(isUp && process.poll() == nil, "\(output)")
        addresses = try JSON(parsing: try FileText.bytes(directory.file("kit/kit.json")))
    }

    deinit {
        process.signal(SIGTERM)
        if process.wait(milliseconds: 60_000) == nil { process.stop() }
    }

    var output: String { FileText.read(directory.file("out")) ?? "" }
    var server: String { addresses["server"]?.text ?? "" }
    var control: String { addresses["control"]?.text ?? "" }

    func get(_ url: String) throws -> JSON { try JSON(parsing: try HTTPClient().send(HTTPRequest(url: url)).body) }

    /// The elements of an instant query.
    func query(_ expression: String) throws -> [JSON] {
        let escaped = expression.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        let answer = try get("\(server)/api/v1/query?query=\(escaped)")
        #expect(answer["status"]?.text == "success", "\(expression): \(answer.encoded)")
        return answer["data"]?["result"]?.elements ?? []
    }

    func flip(_ service: String, _ version: String, _ mode: String) throws {
        var request = HTTPRequest(url: "\(control)/switch?service=\(service)&version=\(version)&mode=\(mode)")
        request.method = "POST"
        let response = try HTTPClient().send(request)
        #expect(response.status == 200, "\(String(decoding: response.body, as: UTF8.self))")
    }

    /// Firing alerts, as `name service env`.
    func firing() throws -> Set<String> {
        let alerts = try get("\(server)/api/v1/alerts")["data"]?["alerts"]?.elements ?? []
        return Set(
            alerts.filter { $0["state"] == "firing" }.map { alert in
                ["alertname", "service", "env"].map { alert["labels"]?[$0]?.text ?? "" }.joined(separator: " ")
            })
    }
}
