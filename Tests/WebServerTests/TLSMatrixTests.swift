import Runtime
import TLS
import TestSupport
import Testing
import WebServer

/// The server as `openssl s_client` sees it: protocol versions, ciphers, renegotiation, compression, resumption.
@Suite struct TLSMatrixTests {
    private static let certificates = Certificates()

    private func server(_ change: (inout TLSServerConfiguration) -> Void = { _ in }) throws -> HTTPServer {
        var settings = TLSServerConfiguration(
            certificateChain: Self.certificates.text("server.pem"), privateKey: Self.certificates.text("server.key"))
        change(&settings)
        let context = try TLSServerContext(settings)
        var configuration = HTTPServerConfiguration()
        configuration.tls = { context }
        return try HTTPServer(configuration) { _ in .text("ok") }
    }

    /// What `s_client` prints about a handshake and a request.
    private func client(_ server: HTTPServer, _ options: String, sends text: String = "GET / HTTP/1.0\\r\\n\\r\\n")
        -> String
    {
        ShellCommand.run(
            "printf '\(text)' | timeout 20 openssl s_client -connect localhost:\(server.port) -CAfile "
                + "\(Self.certificates.path("ca.pem")) -verify_return_error -ign_eof \(options) 2>&1")
    }

    // The client itself must be allowed what the server has to refuse.
    @Test(arguments: [
        "-tls1 -cipher ALL:@SECLEVEL=0", "-tls1_1 -cipher ALL:@SECLEVEL=0", "-tls1_2 -cipher aNULL:@SECLEVEL=0",
        "-tls1_2 -cipher eNULL:@SECLEVEL=0", "-tls1_2 -cipher RC4:3DES:@SECLEVEL=0",
        "-tls1_2 -cipher EXPORT:LOW:MD5:@SECLEVEL=0", "-tls1_2 -cipher PSK:SRP:@SECLEVEL=0",
        "-tls1_2 -cipher ADH:AECDH:@SECLEVEL=0",
    ]) func weakProtocolsAndCiphersAreRefused(options: String) throws {
        let server = try server()
        defer { server.stop() }
        let output = client(server, options)
        // OpenSSL may lack a cipher completely, which is as good.
        #expect(!output.contains("HTTP/1.0 200") && !output.contains("HTTP/1.1 200"), "\(output)")
    }

    @Test(arguments: [
        ("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2"),
        ("-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256", "TLSv1.3"),
        ("-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2"), ("-groups X25519", "X25519"),
    ]) func strongOnesAreAccepted(options: String, expected: String) throws {
        let server = try server()
        defer { server.stop() }
        let output = client(server, options)
        #expect(output.contains("200 OK") && output.contains(expected), "\(output)")
        #expect(output.contains("Verify return code: 0 (ok)") && output.contains("Compression: NONE"), "\(output)")
    }

    @Test func clientsCannotRenegotiate() throws {
        let server = try server()
        defer { server.stop() }
        // `R` at the start of a line asks s_client to renegotiate.
        let output = ShellCommand.run(
            "(sleep 0.3; printf 'R\\n'; sleep 0.5; printf 'GET / HTTP/1.0\\r\\n\\r\\n'; sleep 0.3) | timeout 20 openssl s_client "
                + "-connect localhost:\(server.port) -tls1_2 2>&1")
        #expect(output.contains("RENEGOTIATING"))
        #expect(output.contains("no renegotiation") || !output.contains("200 OK"), "\(output)")
    }

    @Test func aMinimumOfThirteenRefusesTwelve() throws {
        let server = try server { $0.minimumVersion = .tls13 }
        defer { server.stop() }
        #expect(!client(server, "-tls1_2").contains("200 OK"))
        #expect(client(server, "-tls1_3").contains("200 OK"))
    }

    @Test func earlyDataIsNotAccepted() throws {
        let server = try server()
        defer { server.stop() }
        let directory = TemporaryDirectory()
        directory.write("GET / HTTP/1.0\r\n\r\n", to: "early")
        #expect(client(server, "-tls1_3 -sess_out \(directory.file("session"))").contains("200 OK"))
        let again = client(
            server, "-tls1_3 -sess_in \(directory.file("session")) -early_data \(directory.file("early"))", sends: "")
        // A request in early data can be sent again by anybody who has seen it.
        #expect(!again.contains("Early data was accepted"), "\(again)")
    }
}
