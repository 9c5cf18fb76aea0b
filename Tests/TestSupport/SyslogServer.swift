import Glibc
import Runtime

/// A real rsyslog that writes what it receives to a file, in the format of RFC 5424.
public final class SyslogServer {
    /// Where it listens.
    public enum Input: Sendable {
        case udp, tcp, unix
        /// TLS with the server's certificate.
        case tls(Certificates)
    }

    /// The path of rsyslogd; `nil`, with a message, if it is not installed.
    public static let program: String? = {
        let path = "/usr/sbin/rsyslogd"
        if !Paths.exists(path) { print("skipped: \(path) is not installed") }
        return Paths.exists(path) ? path : nil
    }()

    /// The address for Tribune.
    public let address: String
    private let work = TemporaryDirectory()
    private var process: ChildProcess?

    /// Starts it.
    public init(_ input: Input) throws {
        let port = Loopback.freePort()
        let socket = work.file("log")
        var lines = ["global(workDirectory=\"\(work.path)\" maxMessageSize=\"64k\")"]
        switch input {
        case .udp:
            address = "udp://127.0.0.1:\(port)"
            lines += ["module(load=\"imudp\")", "input(type=\"imudp\" port=\"\(port)\" address=\"127.0.0.1\")"]
        case .tcp:
            address = "tcp://127.0.0.1:\(port)"
            lines += ["module(load=\"imtcp\")", "input(type=\"imtcp\" port=\"\(port)\" address=\"127.0.0.1\")"]
        case .tls(let certificates):
            address = "tls://localhost:\(port)"
            lines[0] =
                "global(workDirectory=\"\(work.path)\" maxMessageSize=\"64k\" defaultNetstreamDriver=\"ossl\" "
                + "defaultNetstreamDriverCAFile=\"\(certificates.path("ca.pem"))\" "
                + "defaultNetstreamDriverCertFile=\"\(certificates.path("server.pem"))\" "
                + "defaultNetstreamDriverKeyFile=\"\(certificates.path("server.key"))\")"
            lines += [
                "module(load=\"imtcp\" streamDriver.name=\"ossl\" streamDriver.mode=\"1\" streamDriver.authMode=\"anon\")",
                "input(type=\"imtcp\" port=\"\(port)\" address=\"127.0.0.1\")",
            ]
        case .unix:
            address = "unix://\(socket)"
            lines += [
                "module(load=\"imuxsock\" sysSock.use=\"off\")",
                "input(type=\"imuxsock\" socket=\"\(socket)\" useSpecialParser=\"off\" parseHostname=\"on\" "
                    + "rateLimit.interval=\"0\" ignoreTimestamp=\"off\" useSysTimeStamp=\"off\")",
            ]
        }
        lines += [
            "template(name=\"rfc5424\" type=\"string\" string=\"<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% "
                + "%APP-NAME% %PROCID% %MSGID% %STRUCTURED-DATA% %msg%\\n\")",
            "if $app-name == \"tribune\" then action(type=\"omfile\" file=\"\(work.file("out"))\" template=\"rfc5424\")",
        ]
        work.write(lines.joined(separator: "\n") + "\n", to: "rsyslog.conf")
        try start()
        _ = Loopback.eventually { isListening(port, socket) }
    }

    deinit { stop() }

    /// Starts it again.
    public func start() throws {
        process = try ChildProcess(
            [Self.program ?? "", "-n", "-f", work.file("rsyslog.conf"), "-i", work.file("pid")],
            output: .file(work.file("err")))
    }

    /// Ends it at once, without writing what it holds.
    public func stop() {
        process?.signal(SIGKILL)
        _ = process?.wait()
        process = nil
    }

    /// Ends it in order.
    public func end() {
        process?.stop()
        process = nil
    }

    /// The received messages.
    public var lines: [String] {
        (FileText.read(work.file("out")) ?? "").split(separator: "\n").map(String.init)
    }

    /// Its own messages.
    public var log: String { FileText.read(work.file("err")) ?? "" }

    private func isListening(_ port: Int, _ socket: String) -> Bool {
        if address.hasPrefix("unix") { return Paths.exists(socket) }
        let table = address.hasPrefix("udp") ? "/proc/net/udp" : "/proc/net/tcp"
        let hexadecimal = String(port, radix: 16, uppercase: true)
        let shown = String(repeating: "0", count: max(0, 4 - hexadecimal.count)) + hexadecimal
        return (FileText.read(table) ?? "").contains("0100007F:\(shown) 00000000:0000")
    }
}
