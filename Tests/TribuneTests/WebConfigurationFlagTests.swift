import Glibc
import Runtime
import TestSupport
import Testing

/// `--web.config.file`, `--web.listen-address` and `--web.systemd-socket` of the real program.
@Suite struct WebConfigurationFlagTests {
    private static let certificates = Certificates()
    private static let prometheus = "scrape_configs: []\n"

    @Test func everyListenAddressSpeaksWhatTheFileSays() throws {
        let directory = TemporaryDirectory()
        let files = Self.certificates
        directory.write(Self.prometheus, to: "prometheus.yml")
        directory.write(
            """
            tls_server_config:
              cert_file: \(files.path("server.pem"))
              key_file: \(files.path("server.key"))
            basic_auth_users:
              alice: $2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW
            """, to: "web.yml")
        let ports = [Loopback.freePort(), Loopback.freePort()]
        let process = try ChildProcess(
            [
                TribuneProgram.path, "serve", "--config.file=\(directory.file("prometheus.yml"))",
                "--storage.path=\(directory.file("data"))", "--web.config.file=\(directory.file("web.yml"))",
                "--web.listen-address=127.0.0.1:\(ports[0])", "--web.listen-address=[::1]:\(ports[1])",
                "--web.listen-address=unix:\(directory.file("socket"))",
            ], output: .file(directory.file("log")))
        defer { process.stop() }
        let curl =
            "curl -sS -g --max-time 20 -o /dev/null -w '%{http_code} %{http_version}' --cacert \(files.path("ca.pem"))"
        let first = "\(curl) https://localhost:\(ports[0])/-/ready --resolve localhost:\(ports[0]):127.0.0.1"
        #expect(Loopback.eventually { ShellCommand.run("\(first) -u alice:secret 2>/dev/null") == "200 2" })
        #expect(ShellCommand.run(first) == "401 2")
        let second = "https://localhost:\(ports[1])/-/ready --resolve localhost:\(ports[1]):[::1]"
        #expect(ShellCommand.run("\(curl) -u alice:secret \(second)") == "200 2")
        let local = "--unix-socket \(directory.file("socket")) http://localhost/-/ready"
        #expect(ShellCommand.run("\(curl) -u alice:secret \(local)") == "200 1.1")
        #expect(ShellCommand.run("\(curl) \(local)") == "401 1.1")
    }

    @Test func socketsOfSystemdAreTakenOver() throws {
        let directory = TemporaryDirectory()
        directory.write(Self.prometheus, to: "prometheus.yml")
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        let port = Loopback.freePort()
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let isListening = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 && listen(listener, 10) == 0
            }
        }
        #expect(isListening)
        // As systemd does: the socket is descriptor 3, and the environment names the process that it is for. bash,
        // because dash cannot copy a descriptor above 9.
        let program =
            "exec 3<&\(listener); LISTEN_FDS=1 LISTEN_PID=$$ exec \(TribuneProgram.path) serve --web.systemd-socket "
            + "--config.file=\(directory.file("prometheus.yml")) --storage.path=\(directory.file("data"))"
        let process = try ChildProcess(["/bin/bash", "-c", program], output: .file(directory.file("log")))
        defer { process.stop() }
        #expect(Loopback.eventually { RawHTTPClient.get(port, "/-/ready")?.status == 200 })
    }

    @Test func webConfigurationsAreChecked() throws {
        let directory = TemporaryDirectory()
        directory.write("http_server_config:\n  http2: false\n", to: "good.yml")
        directory.write("basic_auth_users:\n  alice: plain\n", to: "bad.yml")
        let good = ShellCommand.run("\(TribuneProgram.path) check web-config \(directory.file("good.yml")); echo $?")
        #expect(good == "\(directory.file("good.yml")) SUCCESS\n0\n")
        let bad = ShellCommand.run("\(TribuneProgram.path) check web-config \(directory.file("bad.yml")); echo $?")
        #expect(bad.contains("bad.yml FAILED: ") && bad.contains("not a bcrypt hash") && bad.hasSuffix("\n1\n"))
        #expect(!bad.contains("plain"))
    }
}
