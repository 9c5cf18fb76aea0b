internal import CurlHTTP
internal import Glibc
internal import JSON
internal import Runtime

/// The means of a command `tribune ci …`: the service's address and token from options or the environment, the
/// pipeline's file, and the clock.
struct PipelineSession {
    static let address = Command.Option.value(
        "dgm-service-url", "URL", "The running Tribune; DGM_SERVICE_URL or TRIBUNE_URL unless given.")
    static let token = Command.Option.value(
        "token", "TOKEN", "The token of the gates; DGM_API_TOKEN or TRIBUNE_TOKEN unless given.", mayBeEmpty: true)
    static let file = Command.Option.value(
        "config", "FILE", "Services and environments; .tribune-ci.yml unless given, if it exists.")
    static let common = [address, token, file]

    let file: PipelineFile
    let client: APIClient
    /// When the command began, in nanoseconds of the monotonic clock.
    let started = SystemClock.monotonicNanoseconds()

    init(_ invocation: Invocation) throws(CommandFailure) {
        func given(_ option: String, _ variables: [String]) -> String? {
            if let value = invocation.value(option), !value.isEmpty { return value }
            return variables.lazy.compactMap(Self.variable).first { !$0.isEmpty }
        }
        file = try PipelineFile.load(invocation.value("config"))
        guard let url = given("dgm-service-url", ["DGM_SERVICE_URL", "TRIBUNE_URL"]) else {
            throw CommandFailure("no address of Tribune: give --dgm-service-url or set DGM_SERVICE_URL", code: .usage)
        }
        var client = APIClient(url)
        client.token = given("token", ["DGM_API_TOKEN", "TRIBUNE_TOKEN"])
        self.client = client
    }

    private static func variable(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    /// Seconds since the command began.
    var elapsed: Double { Double(SystemClock.monotonicNanoseconds() - started) / 1e9 }

    /// Waits `seconds`, but not beyond `limit` seconds since the beginning. Returns false if that has passed.
    func pause(_ seconds: Double, until limit: Double) -> Bool {
        let rest = limit - elapsed
        guard rest > 0 else { return false }
        usleep(UInt32(min(seconds, rest, 3600) * 1e6))
        return true
    }

    /// The number of seconds in an option.
    static func seconds(_ invocation: Invocation, _ name: String) throws(CommandFailure) -> Double {
        guard let value = invocation.value(name).flatMap({ Double($0) }), value >= 0, value <= 7 * 86400 else {
            throw invocation.misuse(of: name, "a number of seconds")
        }
        return value
    }

    /// The traffic of `services` in the `window` of an environment.
    func metrics(
        of services: [String], in environment: String, window: String
    ) throws(CommandFailure) -> JSON {
        var members: [JSON.Member] = [
            .init("services", .array(services.map(JSON.string))), .init("environment", .string(environment)),
            .init("window", .string(window)),
            .init(
                "match",
                .object(file.environment(environment).match.sorted { $0.key < $1.key }.map { .init($0, .string($1)) })),
        ]
        if let profile = file.profile { members.append(.init("profile", .string(profile))) }
        return try post("service-metrics", .object(members))
    }

    /// The data of the response to `json`.
    func post(_ path: String, _ json: JSON) throws(CommandFailure) -> JSON {
        try client.post(path, json: Array(json.encoded.utf8))["data"] ?? .null
    }

    /// The value of an instant query by the label `service`.
    func values(of expression: String) throws(CommandFailure) -> [String: Double] {
        let data = try client.post("query", [("query", expression)])["data"]
        var values: [String: Double] = [:]
        for element in data?["result"]?.elements ?? [] {
            let value = element["value"]?.elements?.last?.text.flatMap { Double($0) }
            if let value { values[element["metric"]?["service"]?.text ?? ""] = value }
        }
        return values
    }

    /// JSON in one line that may stand between the apostrophes of a shell command.
    static func line(_ json: JSON) -> String {
        var writer = JSONWriter()
        writer.isForPipelines = true
        writer.write(json)
        return writer.text
    }

    /// The metrics in an option: JSON, or `@FILE`.
    static func metrics(_ invocation: Invocation, _ name: String) throws(CommandFailure) -> JSON {
        guard let text = invocation.value(name), !text.isEmpty else {
            throw CommandFailure("--\(name) is required", code: .usage)
        }
        var content = text
        if text.hasPrefix("@") {
            guard let read = FileText.read(String(text.dropFirst())) else {
                throw CommandFailure("\(text.dropFirst()): \(SystemError.current)")
            }
            content = read
        }
        do throws(JSONError) { return try JSON(parsing: content) } catch {
            throw CommandFailure("--\(name) is not JSON: \(error)", code: .usage)
        }
    }
}
