internal import Glibc
internal import Runtime
internal import WebServer

/// `tribune demo-service`: the small service of the demo, as a separate process.
enum DemoServiceCommand {
    /// The constitution hash in the shipped rules and the demo.
    static let constitution = "cdd01ef066bc6cf2"

    private static let modes = DemoService.Misbehaviour.allCases.map(\.rawValue).joined(separator: ", ")

    static let command = Command(
        "demo-service", "Run a small service that misbehaves on request.",
        options: [
            .value("address", "IP", "The address on which it listens.", default: "127.0.0.1"),
            .value("port", "PORT", "The port; 0 for any free port.", default: "0"),
            .value("service", "NAME", "Value of the label service.", default: "demo"),
            .value("version", "VERSION", "The version that it reports.", default: "blue"),
            .value("hash", "HASH", "The constitution hash that it reports.", default: constitution),
            .flag("platform", "Expose the metrics of a service of the ACGS platform."),
            .value("lifetime", "SECONDS", "How long it runs.", default: "86400"),
        ],
        details: "POST /misbehave?mode=MODE makes it misbehave. Modes: \(modes)."
    ) { (invocation) throws(CommandFailure) in
        guard let port = invocation.value("port").flatMap({ Int($0) }), (0...65535).contains(port) else {
            throw invocation.misuse(of: "port", "a number from 0 to 65535")
        }
        guard let lifetime = invocation.value("lifetime").flatMap({ Int64($0) }), (1...10_000_000).contains(lifetime)
        else { throw invocation.misuse(of: "lifetime", "a number of seconds") }
        let address = invocation.value("address") ?? "127.0.0.1"
        let stopping = [SIGINT, SIGTERM]
        Signals.block(stopping)
        let service = DemoService(
            name: invocation.value("service") ?? "", version: invocation.value("version") ?? "",
            hash: invocation.value("hash") ?? "", isPlatform: invocation.flag("platform"))
        let server: HTTPServer
        do throws(HTTPServerError) {
            server = try service.serve(address: address, port: port)
        } catch {
            throw CommandFailure(error.description)
        }
        Console.print("listening on \(address):\(server.port)")
        _ = Signals.wait(for: stopping, milliseconds: lifetime * 1000)
        server.stop()
        return 0
    }
}
