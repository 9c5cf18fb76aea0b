internal import Runtime
internal import YAML

/// The settings of `tribune ci …` for a platform: `.tribune-ci.yml` in the repository of a pipeline. A value.
///
/// ```yaml
/// services: [auth, ac]                      # the seven ACGS services unless given
/// window: 5m                              # how far back `ci baseline` looks
/// measure: 300                            # seconds of `ci performance-test`
/// environments:
///   staging:
///     match: {environment: staging}         # labels of the series
///     targets: {auth: "http://auth.staging:8000"}
/// ```
struct PipelineFile: Equatable {
    /// An environment that services are deployed to.
    struct Environment: Equatable {
        /// Labels that its series have.
        var match: [String: String] = [:]
        /// The base URL of each service, for smoke tests and load.
        var targets: [String: String] = [:]
    }

    /// The default path.
    static let name = ".tribune-ci.yml"
    static let acgs = ["auth", "ac", "integrity", "fv", "gs", "pgc", "ec"]

    var services = Self.acgs
    var window = "5m"
    var measure = 300.0
    var profile: String?
    var hash = DemoServiceCommand.constitution
    var environments: [String: Environment] = [:]

    /// The file at `path`, or the defaults if there is no file of the default name.
    static func load(_ path: String?) throws(CommandFailure) -> PipelineFile {
        let wanted = path ?? name
        guard let text = FileText.read(wanted) else {
            if path == nil { return PipelineFile() }
            throw CommandFailure("\(wanted): \(SystemError.current)")
        }
        do throws(YAMLError) {
            guard let node = try YAML.document(text, file: wanted) else {
                throw YAMLError(file: wanted, line: 0, column: 0, field: "", message: "the file is empty")
            }
            return try PipelineFile(node, file: wanted)
        } catch {
            throw CommandFailure(error.description)
        }
    }

    init() {}

    init(_ node: YAMLNode, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "", file: file)
        let listed = try fields.textList("services")
        if !listed.isEmpty { services = listed }
        window = try fields.optionalText("window") ?? window
        measure = try fields.optionalNumber("measure") ?? measure
        profile = try fields.optionalText("profile")
        if let text = try fields.optionalText("constitution_hash") { hash = text.lowercased() }
        if let node = fields.optional("environments") {
            for member in node.members ?? [] {
                let name = member.key.text ?? ""
                var inner = try FieldReader(member.value, path: "environments.\(name)", file: file)
                var environment = Environment()
                for pair in try inner.textMapping("match") { environment.match[pair.name] = pair.value }
                for pair in try inner.textMapping("targets") { environment.targets[pair.name] = pair.value }
                try inner.finish()
                environments[name] = environment
            }
        }
        try fields.finish()
    }

    /// The environment `name`. One that the file does not describe has the label `environment`.
    func environment(_ name: String) -> Environment {
        environments[name] ?? Environment(match: ["environment": name])
    }
}
