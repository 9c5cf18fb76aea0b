internal import Glibc
internal import JSON
internal import Runtime
internal import WebServer

/// `tribune acgs`: the ACGS platform on one machine.
enum KitCommand {
    static let command = Command(
        "acgs", "Run the ACGS platform on one machine: its services, blue and green, with everything around them.",
        options: [
            .value("ports", "WHICH", "platform: those of the platform's documents; free: any.", default: "platform"),
            .value(
                "auth-port", "PORT", "Where auth listens; the platform's documents have 8000 and 8016.", default: "8000"
            ),
            .value("port", "PORT", "Where Tribune listens.", default: "8007"),
            .value("rate", "NUMBER", "Requests per second over all services.", default: "1050"),
            .value("pace", "NUMBER", "Divides every duration of rules, plan and scrapes, for tests.", default: "1"),
            .value("rules", "DIR", "The directory of the shipped rules and plans.", default: "rules"),
            .value("keep", "DIR", "Keep configuration, logs and data in this directory."),
            .value("lifetime", "SECONDS", "The most time that it runs.", default: "604800"),
            .value("log.level", "LEVEL", "debug, info, warn or error.", default: "warn"),
            .value("log.format", "FORMAT", "logfmt or json.", default: "logfmt"),
        ],
        details: """
            Starts auth, ac, integrity, fv, gs, pgc, ec, coordinator and blackboard as demo services, HAProxy, PostgreSQL, Redis, exporters, a mail
            server, and Tribune with the platform's configuration. kit.json in the directory has addresses and secrets. Runs until
            Ctrl-C; ./run acgs installs what it needs. docs/operations/acgs.md describes it.
            """
    ) { (invocation) throws(CommandFailure) in
        let stopping = [SIGINT, SIGTERM]
        Signals.block(stopping)
        let lifetime = try number(invocation, "lifetime", in: 1...604_800)
        let ports: KitPorts
        switch invocation.value("ports") {
        case "free": ports = .free()
        case "platform":
            ports = .platform(
                auth: Int(try number(invocation, "auth-port", in: 1...35_535)),
                tribune: Int(try number(invocation, "port", in: 1...65_535)))
        case _: throw invocation.misuse(of: "ports", "platform or free")
        }
        let directory = try DemoCommand.workspace(invocation.value("keep"))
        defer { if invocation.value("keep") == nil { DemoCommand.remove(directory) } }
        let kit = try Kit(
            directory: directory, rules: invocation.value("rules") ?? "rules", ports: ports,
            pace: KitPace(factor: try number(invocation, "pace", in: KitPace.range)),
            rate: try number(invocation, "rate", in: KitLoad.rates), logger: try invocation.logger())
        defer { kit.stop() }
        Console.print("== The platform runs. Ctrl-C ends it.")
        for (name, value) in kit.summary {
            Console.print("   \(name)\(String(repeating: " ", count: 12 - name.count))\(value)")
        }
        _ = Signals.wait(for: stopping, milliseconds: Int64(lifetime * 1000))
        return 0
    }

    private static func number(
        _ invocation: Invocation, _ name: String, in range: ClosedRange<Double>
    ) throws(CommandFailure) -> Double {
        guard let value = invocation.value(name).flatMap({ Double($0) }), range.contains(value) else {
            throw invocation.misuse(of: name, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }
}
