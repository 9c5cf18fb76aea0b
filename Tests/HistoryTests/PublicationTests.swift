import Database
import Glibc
import Instrumentation
import MetricModel
import Runtime
import TestSupport
import Testing

@testable import History

@Suite(.serialized) struct PublicationTests {
    private let directory = TemporaryDirectory()
    private let registry = Registry()

    /// An authority of OpenSSL behind a few lines of HTTP.
    private static let authority = """
        import http.server, subprocess, sys
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                query = self.rfile.read(int(self.headers['Content-Length']))
                open('query.tsq', 'wb').write(query)
                command = ['openssl', 'ts', '-reply', '-config', 'tsa.cnf', '-queryfile', 'query.tsq', '-out', 'reply.tsr']
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(open('reply.tsr', 'rb').read())
            def log_message(self, *arguments): pass
        server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
        open('port', 'w').write(str(server.server_port) + '\\n')
        for _ in range(2): server.handle_request()
        """

    private static let configuration = """
        [tsa]
        default_tsa = one
        [one]
        serial = serial
        crypto_device = builtin
        signer_cert = tsa.pem
        certs = ca.pem
        signer_key = tsa.key
        signer_digest = sha256
        default_policy = 1.2.3.4
        digests = sha256
        [ext]
        extendedKeyUsage = critical,timeStamping
        """

    private func shell(_ script: String) throws -> ChildProcess.Exit {
        try ChildProcess(["sh", "-c", "cd '\(directory.path)' && \(script)"]).wait()
    }

    private func publisher(_ publication: CheckpointPublication) throws -> CheckpointPublisher {
        var quiet = publication
        quiet.interval = .hours(10)
        return try CheckpointPublisher(
            quiet, memory: NodeMemory(directory: directory.path), logger: .silent, registry: registry)
    }

    private func value(_ name: String) -> Double {
        guard case .number(let value) = registry.snapshot().first(where: { $0.name == name })?.members.first?.value
        else {
            return -1
        }
        return value
    }

    @Test func `checkpoints go to a file and a command, and one that fails holds up no other`() throws {
        var publication = CheckpointPublication()
        publication.file = directory.file("published")
        publication.command = ["sh", "-c", "cat > '\(directory.file("handed"))'"]
        let publisher = try publisher(publication)
        defer { publisher.stop() }
        publisher.publish("note 1\n", size: 1)
        publisher.publish("note 2\n", size: 2)
        #expect(FileText.read(directory.file("published")) == "note 1\n\nnote 2\n\n")
        #expect(FileText.read(directory.file("handed")) == "note 2\n")
        #expect(value("tribune_history_published_checkpoints_total") == 4)
        publication.file = "/nowhere/file"
        publication.command = ["sh", "-c", "exit 3"]
        let failing = try self.publisher(publication)
        defer { failing.stop() }
        failing.publish("note 3\n", size: 3)
        #expect(value("tribune_history_publication_failures_total") == 2)
    }

    @Test func `a running history publishes its newest checkpoint`() throws {
        let world = try EvidenceWorld(.sqlite)
        let file = world.directory.file("published")
        world.configuration.publication.file = file
        world.configuration.publication.interval = .milliseconds(20)
        let runner = try world.start()
        runner.record(world.event(1))
        #expect(runner.drain(timeout: 30_000))
        #expect(Loopback.eventually { FileText.read(file)?.contains(EvidenceWorld.origin) == true })
        runner.stop()
    }

    @Test func `OpenSSL's authority stamps a checkpoint, and OpenSSL verifies the stamp`() throws {
        directory.write(Self.authority, to: "authority.py")
        directory.write(Self.configuration, to: "tsa.cnf")
        let made = try shell(
            """
            echo 01 > serial &&
            openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 2 2>/dev/null &&
            openssl req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=tsa 2>/dev/null &&
            openssl x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile tsa.cnf -extensions ext \
            -out tsa.pem -days 2 2>/dev/null
            """)
        try #require(made == .code(0))
        let server = try ChildProcess(["sh", "-c", "cd '\(directory.path)' && exec python3 authority.py"])
        defer { server.stop(graceMilliseconds: 0) }
        #expect(Loopback.eventually { FileText.read(directory.file("port"))?.hasSuffix("\n") == true })
        let port = (FileText.read(directory.file("port")) ?? "").dropLast()
        var publication = CheckpointPublication()
        publication.timestampURL = "http://127.0.0.1:\(port)/"
        let publisher = try publisher(publication)
        defer { publisher.stop() }
        publisher.publish("a note\n", size: 7)
        #expect(value("tribune_history_published_checkpoints_total") == 1)
        // After a restart the newest checkpoint is still the same.
        publisher.publish("a note\n", size: 7)
        #expect(value("tribune_history_publication_failures_total") == 0)
        let verify = "openssl ts -verify -data timestamps/7.note -in timestamps/7.tsr -CAfile ca.pem -untrusted tsa.pem"
        #expect(try shell(verify) == .code(0))
        #expect(try shell("echo x >> timestamps/7.note && \(verify)") != .code(0))
        // The response to another request is rejected.
        let answer = try FileText.bytes(directory.file("timestamps/7.tsr"))
        #expect(
            try TimestampRequest(for: Array("a note\n".utf8)).problem(with: answer)?.contains("another request") == true
        )
        #expect(
            try TimestampRequest(for: []).problem(with: [0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x02])?.contains(
                "status 2") == true)
        for length in 0..<40 {
            #expect(try TimestampRequest(for: []).problem(with: Array(answer.prefix(length))) != nil)
        }
    }
}
