internal import Glibc
internal import JSON
internal import MetricModel
internal import MetricStore
internal import PromQL
internal import Rollback
internal import RuleEngine
internal import RuleModel
internal import Runtime
internal import Scraper
internal import YAML

/// `tribune replay`: shows whether, when and why rules would have rolled back.
enum ReplayCommand {
    static let command = Command(
        "replay", "Show the decisions of rollback rules for stored samples.",
        options: [
            .value("config.file", "FILE", "The tribune.yml with rules and plans.", default: "tribune.yml"),
            .value("storage.path", "DIR", "The directory of samples and history.", default: "data"),
            .value("from", "TIME", "Unix seconds or RFC 3339."), .value("to", "TIME", "Unix seconds or RFC 3339."),
            .value("rules", "FILE", "Use the rules in this file instead of those in the configuration."),
            .value("rule", "NAME", "Only rules with this name."), .flag("json", "Print JSON."),
            .value("query.lookback-delta", "DURATION", "The maximum age of a current sample.", default: "5m"),
            .enabledFeatures,
        ],
        details: """
            Rules are evaluated at the interval of their group; rules that are evaluated at scrapes, at each sample of a series that
            they read. Recorded series are read as they were stored. Rules start without a streak, and each service is assumed to
            have a candidate with traffic, unless the replay has rolled it back less than a cooldown ago.

            No server may use the directory; copy that of a running server. Exit code 0 also if a rule trips.

            --rules tries new rules on the past. A plan that is not in the configuration is reported; its trips name no services.

            Example: tribune replay --from 2026-01-31T12:00:00Z --to 2026-01-31T13:00:00Z --rules new.yml
            """
    ) { (invocation) throws(CommandFailure) in
        let (from, to) = (try invocation.time("from"), try invocation.time("to"))
        guard from <= to else { throw CommandFailure("--from must not be after --to", code: .usage) }
        let features = try invocation.features()
        let configuration = try configuration(invocation, features)
        var options = EngineOptions()
        options.lookback = try invocation.duration("query.lookback-delta")
        options.delayedNameRemoval = features.delayedNameRemoval
        options.useStartTimestamps = features.useStartTimestamps
        let groups = try groups(invocation, features) ?? configuration.groups
        let rules = RuleReplay(
            groups, named: invocation.value("rule"), engine: QueryEngine(options: options),
            settings: configuration.ruleSettings(externalURL: ""))
        guard rules.ruleCount > 0 else {
            throw CommandFailure(
                invocation.value("rule").map { "no rollback rule named \($0)" } ?? "there are no rollback rules")
        }
        let ruleSettings = configuration.ruleSettings(externalURL: "")
        if groups.contains(where: { ruleSettings.server(of: $0) != nil }) {
            Console.error("warning: groups of query servers are evaluated over the samples in the directory")
        }
        for plan in groups.unknownPlans(configuration.plans) {
            Console.error("warning: the plan \(plan) is not loaded, its trips name no services")
        }
        let store = try store(invocation.value("storage.path") ?? "data")
        defer { store.close() }
        guard let stored = store.statistics.timeRange, stored.overlaps(from...to) else {
            throw CommandFailure("no samples are stored between --from and --to")
        }
        // Before the first sample all data would be missing, which says nothing about the rules.
        let range = stored.clamped(to: from...to)
        var replay = Replay(plans: configuration.plans)
        do throws(SelectError) {
            try rules.run(from: range.lowerBound, through: range.upperBound, source: store) { replay.measured($0) }
        } catch {
            throw CommandFailure(error.description)
        }
        for note in store.takeNotes() { Console.error("warning: \(note)") }
        let report = ReplayReport(replay, range: range)
        if invocation.flag("json") {
            Console.print(report.json.encoded)
        } else {
            for line in report.lines { Console.print(line) }
        }
        return 0
    }

    private static func configuration(
        _ invocation: Invocation, _ features: Features
    ) throws(CommandFailure) -> LoadedConfiguration {
        do throws(ConfigurationError) {
            return try LoadedConfiguration.load(
                invocation.value("config.file") ?? "", features: features.parser, requiresRuleFiles: true)
        } catch {
            throw CommandFailure(error.description)
        }
    }

    /// The groups in the file `--rules`; `nil` without it.
    private static func groups(
        _ invocation: Invocation, _ features: Features
    ) throws(CommandFailure) -> [RuleGroup]? {
        guard let path = invocation.value("rules") else { return nil }
        do throws(RuleFileError) {
            return try RuleFile.load(path, options: .init(features: features.parser)).groups
        } catch {
            throw CommandFailure(error.faults.map(\.description).joined(separator: "\n"))
        }
    }

    /// The store in the directory `storage`, which must exist and must not be in use.
    private static func store(_ storage: String) throws(CommandFailure) -> MetricStore {
        let path = "\(storage)/samples"
        guard unsafe access("\(path)/series.log", R_OK) == 0 else {
            throw CommandFailure("there are no samples in \(path)")
        }
        var configuration = StoreConfiguration(directory: path)
        // Reading must not drop samples.
        configuration.retentionMilliseconds = Timestamp.distantFuture.milliseconds
        configuration.retentionBytes = .max
        do throws(StoreError) {
            let store = try MetricStore(configuration, registry: nil)
            for note in store.recoveryNotes { Console.error("warning: \(note)") }
            return store
        } catch {
            guard error.code == .inUse else { throw CommandFailure(error.description) }
            throw CommandFailure("a server uses \(path); stop it, or copy \(storage) and replay the copy")
        }
    }
}

extension [RuleGroup] {
    /// Plans of rollback rules that are not in `plans`, sorted.
    fileprivate func unknownPlans(_ plans: [RolloutPlan]) -> [String] {
        let wanted = flatMap(\.rules).compactMap { rule in
            if case .rollback(let query) = rule, query.definition.action.verdict == nil {
                query.definition.action.plan
            } else {
                nil
            }
        }
        return Set(wanted).subtracting(plans.map(\.name)).sorted()
    }
}

extension Invocation {
    /// A time that must be given.
    fileprivate func time(_ name: String) throws(CommandFailure) -> Timestamp {
        guard let time = try optionalTime(name) else {
            throw CommandFailure("--from and --to are required", code: .usage)
        }
        return time
    }
}
