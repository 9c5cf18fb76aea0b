import Runtime

/// Certificates made with the `openssl` command for one test.
public final class Certificates: Sendable {
    private let directory = TemporaryDirectory()

    /// An authority, a server's certificate for `localhost`, and a client's with the name `node-1.example`.
    public init() {
        directory.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n", to: "server.ext")
        directory.write("subjectAltName=DNS:node-1.example\n", to: "client.ext")
        openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem"
        )
        for name in ["server", "client"] {
            openssl(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=\(name) -keyout \(name).key -out \(name).csr"
            )
            openssl(
                "x509 -req -in \(name).csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile \(name).ext -out \(name).pem"
            )
        }
    }

    private static let newKey = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

    /// The path of a file.
    public func path(_ name: String) -> String { directory.file(name) }

    /// The text of a file, such as `server.pem`.
    public func text(_ name: String) -> String {
        FileText.read(directory.file(name)) ?? ""
    }

    private func openssl(_ arguments: String) {
        _ = ShellCommand.run("cd \(directory.path) && openssl \(arguments) 2>/dev/null")
    }
}

/// Runs shell commands of a test.
public enum ShellCommand {
    /// The standard output of the command.
    @discardableResult
    public static func run(_ text: String) -> String {
        let directory = TemporaryDirectory()
        let output = directory.file("output")
        guard let process = try? ChildProcess(["/bin/sh", "-c", text], output: .file(output)) else {
            return ""
        }
        if process.wait(milliseconds: 30_000) == nil { process.stop() }
        return FileText.read(output) ?? ""
    }
}
