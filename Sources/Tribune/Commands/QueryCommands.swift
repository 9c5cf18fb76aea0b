internal import JSON
internal import MetricModel

/// `tribune query …`: queries a running Tribune, or any server with Prometheus's HTTP API.
enum QueryCommands {
    static let instant = Command(
        "query instant", "Evaluate an expression at one time.", operands: "SERVER EXPR", count: 2...2,
        options: [
            .value("time", "TIME", "Unix seconds or RFC 3339; now if not given."),
            .value("format", "FORMAT", "promql or json.", default: "promql"),
        ], details: "Example: tribune query instant http://127.0.0.1:9190 'sum by (job) (up)'"
    ) { (invocation) throws(CommandFailure) in
        let format = try AnswerFormat(invocation)
        var fields = [("query", invocation.operands[1])]
        if let time = invocation.value("time") { fields.append(("time", time)) }
        return print(try ask(invocation.operands[0], "query", fields), format)
    }

    static let range = Command(
        "query range", "Evaluate an expression over a range of time.", operands: "SERVER EXPR", count: 2...2,
        options: [
            .value("start", "TIME", "Unix seconds or RFC 3339."), .value("end", "TIME", "Unix seconds or RFC 3339."),
            .value("step", "DURATION", "Time between two points.", default: "15s"),
            .value("format", "FORMAT", "promql or json.", default: "promql"),
        ]
    ) { (invocation) throws(CommandFailure) in
        guard let start = invocation.value("start"), let end = invocation.value("end") else {
            throw CommandFailure("--start and --end are required", code: .usage)
        }
        let format = try AnswerFormat(invocation)
        let fields = [
            ("query", invocation.operands[1]), ("start", start), ("end", end),
            ("step", invocation.value("step") ?? "15s"),
        ]
        return print(try ask(invocation.operands[0], "query_range", fields), format)
    }

    /// The `data` of the server's response. Throws the server's error.
    private static func ask(
        _ server: String, _ path: String, _ fields: [(String, String)]
    ) throws(CommandFailure) -> JSON {
        let answer = try APIClient(server).post(path, fields)
        for kind in ["warnings", "infos"] {
            for text in answer[kind]?.elements ?? [] { Console.error("\(kind.dropLast()): \(text.text ?? "")") }
        }
        return answer["data"] ?? .null
    }

    /// The output format.
    private enum AnswerFormat: String {
        case promql, json

        init(_ invocation: Invocation) throws(CommandFailure) {
            guard let format = invocation.value("format").flatMap(Self.init(rawValue:)) else {
                throw invocation.misuse(of: "format", "promql or json")
            }
            self = format
        }
    }

    private static func print(_ data: JSON, _ format: AnswerFormat) -> Int32 {
        switch format {
        case .json: Console.print((data["result"] ?? .null).encoded)
        case .promql:
            for line in lines(of: data) { Console.print(line) }
        }
        return 0
    }

    private static func lines(of data: JSON) -> [String] {
        let result = data["result"] ?? .null
        switch data["resultType"]?.text {
        case "vector":
            return (result.elements ?? []).map { element in
                "\(name(element)) => \(point(element["value"] ?? element["histogram"]))"
            }
        case "matrix":
            return (result.elements ?? []).flatMap { element in
                let points = (element["values"]?.elements ?? []) + (element["histograms"]?.elements ?? [])
                return ["\(name(element)) =>"] + points.map { point($0) }
            }
        case "scalar": return ["scalar: \(point(result))"]
        default: return [result.elements?.last?.text ?? ""]
        }
    }

    private static func name(_ element: JSON) -> String {
        Labels((element["metric"]?.members ?? []).map { Label($0.name, $0.value.text ?? "") }).description
    }

    private static func point(_ point: JSON?) -> String {
        let parts = point?.elements ?? []
        guard parts.count == 2, let time = parts[0].number else { return "" }
        let value = parts[1].text ?? parts[1].encoded
        return "\(value) @[\(FloatText.plain(time))]"
    }
}
