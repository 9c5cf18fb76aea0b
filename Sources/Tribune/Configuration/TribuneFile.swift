internal import CurlHTTP
internal import DeploymentGates
internal import History
internal import JSON
internal import Lease
internal import MetricModel
internal import PostgreSQL
internal import PromQL
internal import RemoteQuery
internal import Rollback
internal import RuleEngine
internal import Runtime
internal import YAML

/// The content of a `tribune.yml`. Paths are relative to the file's directory.
///
/// ```yaml
/// prometheus_config: prometheus.yml      # what to scrape, which rules to evaluate
/// alertmanager_config: alertmanager.yml  # who is notified
/// oncall_config: oncall.yml              # who is called about a problem, and who next
/// plans: [plans/*.yml]                   # what may be rolled back
/// verdicts: [{name: podinfo}]            # releases that Flagger or Argo Rollouts move, judged by rollback rules
/// access_config: access.yml              # who may do what
/// constitution:
///   hash: cdd01ef066bc6cf2               # the hash that every target must expose
/// history:
///   postgres: {connection_file: /run/secrets/history}
///   root_key: tribune/root+5a2f…+AQ…                    # certifies the keys of several nodes; see audit root-key
///   certificate_file: node.certificate
///   record: [{match: 'acgs_cache_hit_rate', interval: 30s}]   # series to keep besides what rollback rules measure
///   verify: {rate: 500, interval: 30s}                  # how fast and how often the service verifies the record
///   publish: {interval: 1h, file: /mnt/audit/checkpoints, command: [./push], timestamp_url: http://tsa.example/}
///   syslog: [{address: 'tls://logs.example:6514', tls_config: {ca_file: ca.pem}}]   # every entry, by RFC 5424
///   redis: {address: 127.0.0.1:6379, password_file: /run/secrets/redis}   # or the path of a socket
/// dead_mans_switch: {url_file: /run/secrets/ping}       # asked for while every thread turns over
/// rules: {trigger: scrape, scrape_share: 0.05}          # alerts advance at scrapes
/// query: {url: 'https://thanos.example'}                # what evaluates rules and gates; see QueryServerSettings
/// query_servers: [{name: mimir, url: 'https://mimir.example/prometheus'}]   # others, for groups that name them
/// gates:                                  # see GateConfiguration
///   token_file: /run/secrets/gates
/// outgoing: {allow: [10.0.0.0/8, 127.0.0.1]}            # where connections over HTTP and SMTP may go
/// reload: {second_approver: true}                       # two identities for looser rollback rules
/// lease:                                                # without it, this process runs alone
///   postgres: {connection_file: /run/secrets/history}
///   ttl: 15s
/// ```
struct TribuneFile {
    /// The stock Prometheus configuration.
    var prometheus: String
    /// The stock Alertmanager configuration; `nil` for no notifications.
    var alertmanager: String?
    /// The file of people, schedules and escalation policies; `nil` for none.
    var onCall: String?
    /// Who is to miss this service when it stands still; `nil` for nobody.
    var deadMansSwitch: DeadMansSwitchSettings?
    /// Patterns of rollout plans.
    var plans: [String] = []
    /// The names of verdicts, about releases that other controllers move.
    var verdicts: [String] = []
    /// The access file; `nil` for the defaults.
    var access: String?
    /// The constitution hash that every target must expose; `nil` for no check.
    var constitution: String?
    /// The database of the history.
    var database = HistoryConfiguration.Database.sqlite()
    /// Where the latest measurements are stored for other programs; `nil` for nowhere.
    var hotCache: HotCacheConfiguration?
    /// The ledger's name in its checkpoints.
    var origin = "tribune"
    /// The key that certifies the keys of nodes.
    var rootKey: NoteVerifier?
    /// The certificate of this node's key.
    var certificate: String?
    /// Series that the history keeps.
    var recordings: [SeriesRecording] = []
    /// How fast the running service verifies the record, in entries per second, and how long it pauses in between.
    var verification = (rate: 500, interval: Milliseconds.seconds(30))
    /// Where checkpoints are published.
    var publication = CheckpointPublication()
    /// The syslog servers that receive the ledger's entries.
    var syslog: [SyslogDestination] = []
    /// How long measurements are kept.
    var retention: Milliseconds?
    /// The trigger of groups without one, and the share of one core for those at scrapes.
    var rules = (trigger: RuleGroup.Trigger.interval, scrapeShare: RuleSettings().scrapeShare)
    /// The query servers; that of the section `query` comes first.
    var queryServers: [QueryServerSettings] = []
    /// The deployment gates.
    var gates = GateConfiguration()
    /// The addresses to which HTTP and SMTP connections may be opened.
    var outgoing = OutgoingPolicy()
    /// Whether a reload that loosens enforcing rules needs a second identity.
    var demandsSecondApprover = false
    /// The lease that decides which of several processes acts; `nil` for a process that runs alone.
    var lease: Lease?

    /// The database and duration of the lease.
    struct Lease {
        /// A libpq connection string. May contain a password.
        var address: String
        /// The duration of the lease without renewal.
        var duration: Milliseconds
        /// The name of this node; `nil` for the host's name.
        var node: String?
    }

    /// Reads the file at `path`, a `tribune.yml` or a stock `prometheus.yml`.
    static func load(_ path: String) throws(YAMLError) -> TribuneFile {
        let bytes: [UInt8]
        do {
            bytes = try FileText.bytes(path, limit: 16 << 20)
        } catch {
            throw YAMLError(file: path, line: 0, column: 0, field: "", message: error.reason)
        }
        guard let node = try YAML.document(bytes, file: path), node["prometheus_config"] != nil || node["plans"] != nil
        else {
            return TribuneFile(prometheus: path)
        }
        return try TribuneFile(node, file: path)
    }

    /// The configuration of the history, with the directory `storage`.
    func history(storage: String) -> HistoryConfiguration {
        var configuration = HistoryConfiguration(directory: "\(storage)/history", database: database, origin: origin)
        configuration.retention = retention
        configuration.waitsForTurn = lease != nil
        configuration.admitsNodes = lease != nil
        configuration.node = lease?.node ?? NodeName.host
        configuration.rootKey = rootKey
        configuration.certificate = certificate
        configuration.publication = publication
        configuration.syslog = syslog
        configuration.selfCheckRate = verification.rate
        configuration.selfCheckInterval = verification.interval
        return configuration
    }

    private init(prometheus: String) {
        self.prometheus = prometheus
    }

    private init(_ node: YAMLNode, file: String) throws(YAMLError) {
        let directory = Paths.directory(of: file)
        var fields = try FieldReader(node, path: "", file: file)
        prometheus = Paths.resolve(try fields.text("prometheus_config"), from: directory)
        alertmanager = try fields.optionalText("alertmanager_config").map { Paths.resolve($0, from: directory) }
        onCall = try fields.optionalText("oncall_config").map { Paths.resolve($0, from: directory) }
        if let node = fields.optional("dead_mans_switch") {
            deadMansSwitch = try DeadMansSwitchSettings(node, file: file, directory: directory)
        }
        access = try fields.optionalText("access_config").map { Paths.resolve($0, from: directory) }
        plans = try fields.textList("plans").map { Paths.resolve($0, from: directory) }
        verdicts = try Self.verdicts(&fields)
        if let node = fields.optional("constitution") {
            var inner = try FieldReader(node, path: "constitution", file: file)
            constitution = try inner.text("hash")
            try inner.finish()
        }
        if let node = fields.optional("lease") { lease = try Self.lease(node, file: file, directory: directory) }
        if let node = fields.optional("history") { try readHistory(node, file: file, directory: directory) }
        if let node = fields.optional("rules") { try readRules(node, file: file) }
        queryServers = try QueryServerSettings.list(&fields, reserved: RuleGroup.ownStore, directory: directory)
        if let node = fields.optional("reload") {
            var inner = try FieldReader(node, path: "reload", file: file)
            demandsSecondApprover = try inner.optionalFlag("second_approver") ?? false
            try inner.finish()
        }
        if let node = fields.optional("outgoing") { outgoing = try OutgoingPolicy(node, file: file) }
        if let node = fields.optional("gates") {
            gates = try GateConfiguration(node, file: file) { (path) throws(JSONFieldError) in
                guard let text = FileText.read(Paths.resolve(path, from: directory)) else {
                    throw JSONFieldError(field: "", message: "cannot read \(path): \(SystemError.current)")
                }
                return String(text.split(whereSeparator: \.isWhitespace).first ?? "")
            }
        }
        try fields.finish()
    }

    private static func lease(_ node: YAMLNode, file: String, directory: String) throws(YAMLError) -> Lease {
        var fields = try FieldReader(node, path: "lease", file: file)
        guard let postgres = fields.optional("postgres") else {
            throw fields.fault("the field \"postgres\" is required")
        }
        var inner = try FieldReader(postgres, path: "lease.postgres", file: file)
        let address = try connection(&inner, directory: directory)
        try inner.finish()
        var duration = Milliseconds.seconds(15)
        if let text = try fields.optionalText("ttl") {
            // A request to the database may take a quarter of it, and libpq counts in seconds.
            guard let given = Milliseconds(parsing: text), given >= .seconds(4), given <= .minutes(10) else {
                throw fields.fault("must be a duration of 4s to 10m", at: fields.optional("ttl"), field: "ttl")
            }
            duration = given
        }
        let name = try fields.optionalText("node")
        if let name, name.isEmpty || name.utf8.count > 100 {
            throw fields.fault("a node's name has 1 to 100 bytes", at: fields.optional("node"), field: "node")
        }
        try fields.finish()
        return Lease(address: address, duration: duration, node: name)
    }

    private mutating func readRules(_ node: YAMLNode, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "rules", file: file)
        if let text = try fields.optionalText("trigger") {
            guard let trigger = RuleGroup.Trigger(rawValue: text) else {
                throw fields.fault(
                    "expected one of interval, scrape, got \"\(text)\"", at: fields.optional("trigger"),
                    field: "trigger")
            }
            rules.trigger = trigger
        }
        if let share = try fields.optionalNumber("scrape_share") {
            guard share >= 0.001, share <= 8 else {
                throw fields.fault(
                    "must be a number of cores from 0.001 to 8", at: fields.optional("scrape_share"),
                    field: "scrape_share")
            }
            rules.scrapeShare = share
        }
        try fields.finish()
    }

    private mutating func readHistory(_ node: YAMLNode, file: String, directory: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "history", file: file)
        origin = try fields.optionalText("origin") ?? origin
        guard HistoryConfiguration.isOrigin(origin) else {
            throw fields.fault(
                "must be 1 to 200 bytes without blanks and +", at: fields.optional("origin"), field: "origin")
        }
        if let text = try fields.optionalText("root_key") {
            do throws(HistoryError) {
                rootKey = try NoteVerifier(text: text)
            } catch {
                throw fields.fault(error.description, at: fields.optional("root_key"), field: "root_key")
            }
        }
        if let node = fields.optional("publish") {
            publication = try Self.publication(node, file: file, directory: directory)
        }
        syslog = try SyslogDestination.list(&fields, directory: directory)
        for (index, node) in try fields.list("record").enumerated() {
            recordings.append(try Self.recording(node, "history.record[\(index)]", file: file))
        }
        if let node = fields.optional("verify") { verification = try Self.verification(node, file: file) }
        if let path = try fields.optionalText("certificate_file") {
            guard let text = FileText.read(Paths.resolve(path, from: directory)) else {
                throw fields.fault(
                    "cannot read \(path): \(SystemError.current)", at: fields.optional("certificate_file"),
                    field: "certificate_file")
            }
            certificate = text
        }
        if let text = try fields.optionalText("retention") {
            guard let duration = Milliseconds(parsing: text) else {
                throw fields.fault("not a duration: \"\(text)\"", at: fields.optional("retention"), field: "retention")
            }
            retention = duration
        }
        let sqlite = fields.optional("sqlite")
        let postgres = fields.optional("postgres")
        if let sqlite, postgres != nil {
            throw fields.fault("at most one of sqlite and postgres may be given", at: sqlite, field: "sqlite")
        }
        if let sqlite {
            var inner = try FieldReader(sqlite, path: "history.sqlite", file: file)
            database = .sqlite(path: try inner.optionalText("path").map { Paths.resolve($0, from: directory) })
            try inner.finish()
        }
        if let postgres {
            var inner = try FieldReader(postgres, path: "history.postgres", file: file)
            database = .postgres(address: try Self.connection(&inner, directory: directory))
            try inner.finish()
        }
        if let redis = fields.optional("redis") {
            var inner = try FieldReader(redis, path: "history.redis", file: file)
            hotCache = try Self.hotCache(&inner, directory: directory)
            try inner.finish()
        }
        try fields.finish()
    }

    /// Series to record: `{match: …, interval: 30s}`.
    private static func recording(_ node: YAMLNode, _ path: String, file: String) throws(YAMLError) -> SeriesRecording {
        var fields = try FieldReader(node, path: path, file: file)
        let selector = try fields.text("match")
        if case .failure(let fault) = Expression.matchers(of: selector) {
            throw fields.fault(fault.description, at: fields.optional("match"), field: "match")
        }
        var interval = Milliseconds.seconds(30)
        if let text = try fields.optionalText("interval") {
            guard let given = Milliseconds(parsing: text), given >= .seconds(1), given <= .hours(24) else {
                throw fields.fault(
                    "must be a duration of 1s to 1d", at: fields.optional("interval"), field: "interval")
            }
            interval = given
        }
        try fields.finish()
        return SeriesRecording(selector: selector, interval: interval)
    }

    /// How the running service verifies the record: `{rate: 500, interval: 30s}`.
    private static func verification(
        _ node: YAMLNode, file: String
    ) throws(YAMLError) -> (rate: Int, interval: Milliseconds) {
        var fields = try FieldReader(node, path: "history.verify", file: file)
        var verification = (rate: 500, interval: Milliseconds.seconds(30))
        if let text = try fields.optionalText("rate") {
            guard let rate = Int(text), (0...1_000_000).contains(rate) else {
                throw fields.fault(
                    "must be 0 (never) to 1000000 entries per second", at: fields.optional("rate"), field: "rate")
            }
            verification.rate = rate
        }
        if let text = try fields.optionalText("interval") {
            guard let interval = Milliseconds(parsing: text), interval >= .milliseconds(100), interval <= .hours(24)
            else {
                throw fields.fault(
                    "must be a duration of 100ms to 1d", at: fields.optional("interval"), field: "interval")
            }
            verification.interval = interval
        }
        try fields.finish()
        return verification
    }

    /// The destinations of checkpoints: `{interval: 1h, file: …, command: […], timestamp_url: …}`.
    private static func publication(
        _ node: YAMLNode, file: String, directory: String
    ) throws(YAMLError) -> CheckpointPublication {
        var fields = try FieldReader(node, path: "history.publish", file: file)
        var publication = CheckpointPublication()
        if let text = try fields.optionalText("interval") {
            guard let interval = Milliseconds(parsing: text), interval >= .seconds(1) else {
                throw fields.fault(
                    "must be a duration of at least 1s", at: fields.optional("interval"), field: "interval")
            }
            publication.interval = interval
        }
        publication.file = try fields.optionalText("file").map { Paths.resolve($0, from: directory) }
        publication.command = try fields.textList("command")
        publication.timestampURL = try fields.optionalText("timestamp_url")
        try fields.finish()
        return publication
    }

    /// The connection string, inline or from a separate file, so that the password is not in this file.
    private static func connection(_ fields: inout FieldReader, directory: String) throws(YAMLError) -> String {
        let inline = try fields.optionalText("connection")
        guard let path = try fields.optionalText("connection_file") else {
            guard let inline else { throw fields.fault("one of connection and connection_file is required") }
            return try checked(inline, "connection", &fields)
        }
        guard inline == nil else { throw fields.fault("at most one of connection and connection_file may be given") }
        let text = try secret(path, "connection_file", &fields, directory: directory)
        return try checked(text, "connection_file", &fields)
    }

    private static func checked(
        _ address: String, _ name: String, _ fields: inout FieldReader
    ) throws(YAMLError) -> String {
        guard let fault = PostgreSQLConnection.fault(in: address) else { return address }
        throw fields.fault(fault, at: fields.optional(name), field: name)
    }

    private static func hotCache(
        _ fields: inout FieldReader, directory: String
    ) throws(YAMLError) -> HotCacheConfiguration {
        let address = try fields.text("address")
        var password: HotCacheConfiguration.Secret?
        if let path = try fields.optionalText("password_file") {
            password = .init(try secret(path, "password_file", &fields, directory: directory))
        }
        guard let cache = HotCacheConfiguration(parsing: address, password: password) else {
            throw fields.fault(
                "expected host:port or the path of a socket, not \"\(address)\"", at: fields.optional("address"),
                field: "address")
        }
        return cache
    }

    /// The first line of the file in the field `name`.
    private static func secret(
        _ path: String, _ name: String, _ fields: inout FieldReader, directory: String
    ) throws(YAMLError) -> String {
        guard let text = FileText.read(Paths.resolve(path, from: directory)) else {
            throw fields.fault("cannot read \(path): \(SystemError.current)", at: fields.optional(name), field: name)
        }
        return String(text.split(whereSeparator: \.isNewline).first ?? "")
    }
}
