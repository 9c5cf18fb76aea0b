import CurlHTTP
import Runtime
import TestSupport
import Testing

/// Against OpenSSL's own server, with certificates made for the test.
@Suite struct TLSTests {
    /// A server with a certificate for `inner.test`, which requires one from the client if `verifiesClients`.
    private final class Server {
        let directory = TemporaryDirectory()
        let port = Loopback.freePort()
        let process: ChildProcess

        init(_ options: [String] = []) throws {
            let (certificate, key) = (directory.file("cert.pem"), directory.file("key.pem"))
            let made = try ChildProcess([
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                "1",
                "-subj", "/CN=inner.test", "-addext", "subjectAltName=DNS:inner.test", "-keyout", key, "-out",
                certificate,
            ]).wait()
            #expect(made == .code(0))
            process = try ChildProcess(
                [
                    "openssl", "s_server", "-accept", "127.0.0.1:\(port)", "-www", "-cert", certificate, "-key", key,
                    "-CAfile", certificate,
                ] + options)
            let port = port
            #expect(Loopback.eventually { Loopback.accepts(port: port) })
        }

        deinit { process.stop() }

        func get(_ change: (inout TLSOptions) -> Void) -> Result<Int, HTTPFailure> {
            var request = HTTPRequest(url: "https://127.0.0.1:\(port)/", timeoutMilliseconds: 10_000)
            change(&request.tls)
            do throws(HTTPFailure) {
                return .success(try HTTPClient().send(request).status)
            } catch {
                return .failure(error)
            }
        }
    }

    private func code(_ result: Result<Int, HTTPFailure>) -> HTTPFailure.Code? {
        if case .failure(let failure) = result { failure.code } else { nil }
    }

    @Test func peersAreVerifiedByAuthorityAndName() throws {
        let server = try Server()
        let authority = server.directory.file("cert.pem")
        #expect(code(server.get { _ in }) == .tls)
        #expect(code(server.get { $0.authorities = .file(authority) }) == .tls, "the name is not 127.0.0.1")
        #expect(
            server.get {
                $0.authorities = .file(authority)
                $0.serverName = "inner.test"
            } == .success(200))
        #expect(
            server.get {
                $0.authorities = .text(FileText.read(authority) ?? "")
                $0.serverName = "inner.test"
            } == .success(200))
        #expect(server.get { $0.insecureSkipVerify = true } == .success(200))
    }

    @Test func clientsShowTheirCertificate() throws {
        let server = try Server(["-Verify", "1", "-verify_return_error"])
        let (certificate, key) = (server.directory.file("cert.pem"), server.directory.file("key.pem"))
        #expect(code(server.get { $0.insecureSkipVerify = true }) != nil)
        #expect(
            server.get {
                $0.insecureSkipVerify = true
                $0.certificate = .file(certificate)
                $0.key = .file(key)
            } == .success(200))
    }

    @Test func oldVersionsAreRefused() throws {
        let server = try Server(["-tls1_2"])
        #expect(server.get { $0.insecureSkipVerify = true } == .success(200))
        #expect(
            code(
                server.get {
                    $0.insecureSkipVerify = true
                    $0.minimumVersion = .tls13
                }) == .tls)
    }
}
