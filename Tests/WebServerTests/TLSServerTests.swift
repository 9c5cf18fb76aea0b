import Glibc
import Runtime
import Synchronization
import TLS
import TestSupport
import Testing
import WebServer

@Suite struct TLSServerTests {
    private static let certificates = Certificates()

    private func configuration(_ change: (inout TLSServerConfiguration) -> Void = { _ in }) -> TLSServerConfiguration {
        var configuration = TLSServerConfiguration(
            certificateChain: Self.certificates.text("server.pem"), privateKey: Self.certificates.text("server.key"))
        configuration.applicationProtocols = ["h2", "http/1.1"]
        change(&configuration)
        return configuration
    }

    private func server(_ change: (inout TLSServerConfiguration) -> Void = { _ in }) throws -> HTTPServer {
        let context = try TLSServerContext(configuration(change))
        var server = HTTPServerConfiguration()
        server.tls = { context }
        return try HTTPServer(server) { request in
            if request.path == "/large" { return .text(String(repeating: "x", count: 3_000_000)) }
            let names = request.client.certificate?.alternativeNames.joined(separator: ",") ?? "-"
            return .text(
                "\(request.method) \(request.path) \(request[header: "host"] ?? "-") \(request.body.count) \(names) "
                    + "\(request.client.certificate?.isVerified == true) \(request.client.isEncrypted)\n")
        }
    }

    /// The response's body, with protocol and status in front.
    private func curl(_ server: HTTPServer, _ path: String = "/a", _ options: String = "") -> String {
        ShellCommand.run(
            "curl -sS --max-time 20 --cacert \(Self.certificates.path("ca.pem")) -w '%{http_version} %{http_code}' "
                + "\(options) https://localhost:\(server.port)\(path) 2>&1")
    }

    @Test(arguments: [
        ("--http1.1", "1.1"), ("--http2", "2"), ("--tls-max 1.2 --http2", "2"), ("--tlsv1.3 --http1.1", "1.1"),
    ])
    func requestsAreAnswered(options: String, version: String) throws {
        let server = try server()
        #expect(
            curl(server, "/a", options) == "GET /a localhost:\(server.port) 0 - false true\n\(version) 200")
        server.stop()
    }

    @Test(arguments: ["--http1.1", "--http2"])
    func largeBodiesPassBothWays(option: String) throws {
        let server = try server()
        let directory = TemporaryDirectory()
        directory.write(String(repeating: "y", count: 2_000_000), to: "body")
        let upload = curl(server, "/up", "\(option) --data-binary @\(directory.file("body"))")
        #expect(upload.hasPrefix("POST /up localhost:\(server.port) 2000000 "), "\(upload.prefix(200))")
        let download = curl(server, "/large", option)
        #expect(download.utf8.count == 3_000_000 + (option == "--http2" ? "2 200" : "1.1 200").utf8.count)
        server.stop()
    }

    @Test func manyStreamsShareOneConnection() throws {
        let server = try server()
        let output = curl(server, "/[1-60]", "--http2 --parallel --parallel-max 60")
        for index in 1...60 { #expect(output.contains("GET /\(index) ")) }
        #expect(server.statistics.acceptedConnections < 10)
        server.stop()
    }

    @Test func clientCertificatesAreDemandedAndShown() throws {
        let server = try server {
            $0.clientAuthentication = .requireAndVerify
            $0.clientAuthorities = Self.certificates.text("ca.pem")
            $0.allowedClientNames = ["node-1.example"]
        }
        let identity = "--cert \(Self.certificates.path("client.pem")) --key \(Self.certificates.path("client.key"))"
        for option in ["--http1.1", "--http2"] {
            let answer = curl(server, "/a", "\(option) \(identity)")
            #expect(answer.contains(" node-1.example true true\n"), "\(answer)")
            #expect(curl(server, "/a", option).hasSuffix(" 000"))
        }
        // Signed by the same authority, but without the name.
        let other = "--cert \(Self.certificates.path("server.pem")) --key \(Self.certificates.path("server.key"))"
        #expect(curl(server, "/a", other).hasSuffix(" 000"))
        #expect(server.statistics.failedHandshakes >= 3)
        server.stop()
    }

    @Test func versionsAreLimited() throws {
        let server = try server { $0.minimumVersion = .tls13 }
        #expect(curl(server, "/a", "--tls-max 1.2").hasSuffix(" 000"))
        #expect(curl(server).hasSuffix("2 200"))
        let client = ShellCommand.run(
            "echo | openssl s_client -connect 127.0.0.1:\(server.port) -alpn http/1.1 2>/dev/null")
        #expect(client.contains("TLSv1.3"))
        #expect(client.contains("ALPN protocol: http/1.1"))
        server.stop()
    }

    @Test func plainHTTPIsToldApart() throws {
        let server = try server()
        #expect(RawHTTPClient.get(server.port, "/")?.status == 400)
        server.stop()
    }

    @Test func halfAHandshakeHoldsNobodyUp() throws {
        let server = try server()
        let clients = (0..<20).map { _ in RawHTTPClient(port: server.port) }
        for client in clients { client.send("\u{16}\u{3}\u{1}") }
        #expect(curl(server).hasSuffix("2 200"))
        server.stop()
    }

    @Test func contextsAreReplacedWhileTheServerRuns() throws {
        let old = try TLSServerContext(configuration())
        let new = try TLSServerContext(configuration { $0.minimumVersion = .tls13 })
        let isNew = Atomic<Bool>(false)
        var settings = HTTPServerConfiguration()
        settings.tls = { isNew.load(ordering: .relaxed) ? new : old }
        let server = try HTTPServer(settings) { _ in .text("ok") }
        #expect(curl(server, "/", "--tls-max 1.2").hasPrefix("ok"))
        isNew.store(true, ordering: .relaxed)
        #expect(curl(server, "/", "--tls-max 1.2").hasSuffix(" 000"))
        server.stop()
    }

    @Test func aKeyOfAnotherCertificateIsRefused() {
        let error = #expect(throws: TLSError.self) {
            _ = try TLSServerContext(configuration { $0.privateKey = Self.certificates.text("client.key") })
        }
        #expect(error?.code == .badKey)
        #expect(throws: TLSError.self) { _ = try TLSServerContext(configuration { $0.certificateChain = "" }) }
        #expect(throws: TLSError.self) { _ = try TLSServerContext(configuration { $0.cipherSuites = ["nonsense"] }) }
        #expect(throws: TLSError.self) { _ = try TLSServerContext(configuration { $0.groups = ["nonsense"] }) }
    }

    @Test func eventsArriveOverHTTP2WhenTheyAreSent() throws {
        let context = try TLSServerContext(configuration())
        var settings = HTTPServerConfiguration()
        settings.tls = { context }
        let stream = HTTPEventStream()
        let server = try HTTPServer(settings) { _ in
            stream.response
        }
        let sender = try WorkerThread("sender") {
            for number in 0..<3 { stream.send(event: "alert", id: "\(number)", data: "firing") }
            stream.close()
        }
        let output = curl(server, "/", "--http2 -N")
        sender.join()
        let events = (0..<3).map { "event: alert\nid: \($0)\ndata: firing\n\n" }.joined()
        #expect(output == events + "2 200")
        server.stop()
    }
}
